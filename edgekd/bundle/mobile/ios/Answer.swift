import Foundation

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
}
