import Foundation

/// Makes answers of what the model gives for ids.
public struct Answerer {
    private let settings: Settings, tokenizer: Tokenizer, labels: [String]

    public init(folder: URL, settings: Settings, tokenizer: Tokenizer) throws {
        self.settings = settings
        self.tokenizer = tokenizer
        labels = try readLines(folder, "labels.txt")
    }

    public func answer(_ text: String, run: ([Int32]) throws -> [Float]) throws -> Answer {
        let ids = tokenizer.tokenize(text)
        return Answer(ids: ids, logits: try run(ids), labels: labels, settings: settings)
    }
}

/// What is answered to a text: the label with the largest logit / temperature + bias, where most labels have no bias.
/// `probability` is that label's, calibrated by the temperature; the bias has no part in it.
public struct Answer {
    public let ids: [Int32], logits: [Float], label: String, probability: Double

    public init(ids: [Int32], logits: [Float], labels: [String], settings: Settings) {
        precondition(logits.count == labels.count, "expected \(labels.count) logits, got \(logits.count)")
        precondition(settings.bias.keys.allSatisfy(labels.indices.contains), "a bias is of no label: \(settings.bias)")
        let temperature = settings.temperature
        let scores = logits.indices.map { Double(logits[$0]) / temperature + (settings.bias[$0] ?? 0) }
        var best = 0
        for place in scores.indices where scores[place] > scores[best] { best = place }
        let sum = logits.reduce(0.0) { $0 + exp((Double($1) - Double(logits[best])) / temperature) }
        self.ids = ids
        self.logits = logits
        label = labels[best]
        probability = 1 / sum
    }
    /// Holds the answer against a row of `golden.tsv`: its columns are text, ids, logits, label, probability.
    public func differs(_ row: [String], tolerance: Double) -> String? {
        if let wrong = compareIds(row[1], ids) ?? compareNumbers(row[2], logits, tolerance) { return wrong }
        if Array(label.utf8) != Array(row[3].utf8) { return "label \(label), expected \(row[3])" }
        if !(abs(probability - Double(row[4])!) <= tolerance) {
            return "probability \(probability), expected \(row[4])"
        }
        return nil
    }
}
