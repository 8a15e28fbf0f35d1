import Foundation

/// What the model says of a text; `probability` is the label's, calibrated by the temperature.
public struct Answer {
    public let ids: [Int32], logits: [Float], label: String, probability: Double

    public init(ids: [Int32], logits: [Float], labels: [String], temperature: Double) {
        precondition(logits.count == labels.count, "expected \(labels.count) logits, got \(logits.count)")
        var best = 0
        for place in logits.indices where logits[place] > logits[best] { best = place }
        let sum = logits.reduce(0.0) { $0 + exp((Double($1) - Double(logits[best])) / temperature) }
        self.ids = ids
        self.logits = logits
        label = labels[best]
        probability = 1 / sum
    }
}
