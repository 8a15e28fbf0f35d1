import Foundation

/// Makes answers of what the model gives for ids.
public struct Answerer {
    private let tokenizer: Tokenizer

    public init(folder: URL, settings: Settings, tokenizer: Tokenizer) throws {
        self.tokenizer = tokenizer
    }

    public func answer(_ text: String, run: ([Int32]) throws -> [Float]) throws -> Answer {
        let ids = tokenizer.tokenize(text)
        return Answer(ids: ids, logits: try run(ids))
    }
}

/// What is answered to a text: a number from 0 to 1, the sigmoid of the model's one output.
public struct Answer {
    public let ids: [Int32], logits: [Float], score: Double

    public init(ids: [Int32], logits: [Float]) {
        precondition(logits.count == 1, "expected one logit, got \(logits.count)")
        self.ids = ids
        self.logits = logits
        score = 1 / (1 + exp(-Double(logits[0])))
    }

    /// Holds the answer against a row of `golden.tsv`: its columns are text, ids, logit, score.
    public func differs(_ row: [String], tolerance: Double) -> String? {
        if let wrong = compareIds(row[1], ids) ?? compareNumbers(row[2], logits, tolerance) { return wrong }
        if !(abs(score - Double(row[3])!) <= tolerance) { return "score \(score), expected \(row[3])" }
        return nil
    }
}
