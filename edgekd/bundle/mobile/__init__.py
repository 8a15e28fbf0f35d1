"""What goes into a mobile bundle beside the model.

Tables and settings in plain text, golden answers, and files that are shipped as they are: `reference/` in C,
`android/` in Kotlin, `ios/` in Swift, a page for each platform and runtime.
"""
