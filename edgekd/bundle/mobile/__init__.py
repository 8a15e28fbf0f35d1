"""What goes into a mobile bundle beside the model: tables and settings in plain text, golden answers, and the
files that are shipped as they are: `reference/` in C, `android/` in Kotlin, `ios/` in Swift.
"""
