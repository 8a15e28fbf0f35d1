import Foundation

// Cuts every text of a folder's golden.tsv and makes the answer of the row's logits, then cuts those of texts.tsv, and
// says how many come out as they should.
let folder = URL(fileURLWithPath: CommandLine.arguments[1])
let settings = Settings(lines: try readLines(folder, "model.txt"))
let tokenizer = try Tokenizer(folder: folder, settings: settings)
let answerer = try Answerer(folder: folder, settings: settings, tokenizer: tokenizer)

func readRows(_ name: String) throws -> [[String]] {
    try readLines(folder, name).map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
}

var wrong: [String] = []
let golden = try readRows("golden.tsv").dropFirst()
for row in golden {
    let logits = row[2].split(separator: " ").map { Float($0)! }
    let answer = try answerer.answer(try readJsonString(row[0])) { _ in logits }
    if let differs = answer.differs(row, tolerance: 1e-5) { wrong.append("\(row[0]): \(differs)") }
}
let texts = try readRows("texts.tsv")
for row in texts {
    let found = tokenizer.tokenize(try readJsonString(row[0])).map { String($0) }.joined(separator: " ")
    if found != row[1] { wrong.append("\(row[0]): \(found), expected \(row[1])") }
}
for line in wrong.prefix(5) { print(line) }
print("\(golden.count + texts.count - wrong.count) of \(golden.count + texts.count)")
