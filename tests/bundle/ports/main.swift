import Foundation

// Cuts every text of a folder's golden.tsv and says how many come out as they should.
let folder = URL(fileURLWithPath: CommandLine.arguments[1])
let tokenizer = try Tokenizer(folder: folder, settings: Settings(lines: try readLines(folder, "model.txt")))
let rows = try readGolden(folder)
let wrong = rows.filter { tokenizer.tokenize($0.text) != $0.ids }
for row in wrong.prefix(5) { print("\(row.text): \(tokenizer.tokenize(row.text)), expected \(row.ids)") }
print("\(rows.count - wrong.count) of \(rows.count)")
