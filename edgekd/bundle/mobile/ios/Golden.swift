import Foundation

/// A row of `golden.tsv`.
public struct Row {
    public let text: String, ids: [Int32], logits: [Double], label: String, probability: Double
}

public func readGolden(_ folder: URL) throws -> [Row] {
    try readLines(folder, "golden.tsv").dropFirst().map { line in
        let column = line.split(separator: "\t", omittingEmptySubsequences: false)
        return Row(
            text: try JSONDecoder().decode([String].self, from: Data("[\(column[0])]".utf8))[0],
            ids: column[1].split(separator: " ").map { Int32($0)! },
            logits: column[2].split(separator: " ").map { Double($0)! },
            label: String(column[3]),
            probability: Double(column[4])!
        )
    }
}

/// Holds answers against every row and says what differs; an empty list is the proof.
public func checkGolden(
    _ folder: URL, tolerance: Double, answer: (String) throws -> Answer
) throws -> [String] {
    var differs: [String] = []
    for (number, row) in try readGolden(folder).enumerated() {
        let found = try answer(row.text)
        let place = "golden.tsv:\(number + 2): "
        let far = zip(row.logits, found.logits).map { abs($0 - Double($1)) }.max() ?? 0
        if found.ids != row.ids {
            differs.append(place + "ids \(found.ids), expected \(row.ids)")
        } else if found.logits.count != row.logits.count {
            differs.append(place + "\(found.logits.count) logits, expected \(row.logits.count)")
        } else if !(far <= tolerance) {
            differs.append(place + "a logit is \(far) away")
        } else if Array(found.label.utf8) != Array(row.label.utf8) {
            differs.append(place + "label \(found.label), expected \(row.label)")
        } else if !(abs(found.probability - row.probability) <= tolerance) {
            differs.append(place + "probability \(found.probability), expected \(row.probability)")
        }
    }
    return differs
}
