import Foundation

// Cuts every text of a folder's golden.tsv, makes the answer of the row's logits where it has them, and says how many
// come out as they should.
let folder = URL(fileURLWithPath: CommandLine.arguments[1])
let settings = Settings(lines: try readLines(folder, "model.txt"))
let labels = try readLines(folder, "labels.txt")
let tokenizer = try Tokenizer(folder: folder, settings: settings)
let rows = try readGolden(folder)

func isAnswered(_ row: Row) -> Bool {
    if row.logits.count != labels.count { return true }  // a text without an answer
    let answer = Answer(ids: row.ids, logits: row.logits.map { Float($0) }, labels: labels, settings: settings)
    return answer.label == row.label && abs(answer.probability - row.probability) < 1e-5
}

let wrong = rows.filter { tokenizer.tokenize($0.text) != $0.ids || !isAnswered($0) }
for row in wrong.prefix(5) { print("\(row.text): \(tokenizer.tokenize(row.text)), expected \(row.ids)") }
print("\(rows.count - wrong.count) of \(rows.count)")
