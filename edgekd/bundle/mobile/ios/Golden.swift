import Foundation

/// Holds answers against every row of `golden.tsv` and says what differs; an empty list is the proof.
public func checkGolden(
    _ folder: URL, tolerance: Double, answer: (String) throws -> Answer
) throws -> [String] {
    var differs: [String] = []
    for (number, line) in try readLines(folder, "golden.tsv").dropFirst().enumerated() {
        let row = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        if let wrong = try answer(try readJsonString(row[0])).differs(row, tolerance: tolerance) {
            differs.append("golden.tsv:\(number + 2): " + wrong)
        }
    }
    return differs
}

public func readJsonString(_ quoted: String) throws -> String {
    try JSONDecoder().decode([String].self, from: Data("[\(quoted)]".utf8))[0]
}

func compareIds(_ column: String, _ ids: [Int32]) -> String? {
    let golden = column.split(separator: " ").map { Int32($0)! }
    return ids == golden ? nil : "ids \(ids), expected \(golden)"
}

func compareNumbers(_ column: String, _ numbers: [Float], _ tolerance: Double) -> String? {
    let golden = column.split(separator: " ").map { Double($0)! }
    if golden.count != numbers.count { return "\(numbers.count) logits, expected \(golden.count)" }
    let far = zip(golden, numbers).map { abs($0 - Double($1)) }.max() ?? 0
    return far <= tolerance ? nil : "a logit is \(far) away"
}
