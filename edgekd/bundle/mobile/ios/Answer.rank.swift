import Foundation

private let unit: Unicode.Scalar = "\u{1f}"

/// Makes one text of a query and its candidates, which `Model.answer` takes: U+001F stands between them.
public func joinRequest(_ query: String, _ candidates: [String]) -> String {
    ([query] + candidates)
        .map { text in String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == unit ? " " : $0 })) }
        .joined(separator: String(Character(unit)))
}

/// Makes answers of what the model gives for ids.
public struct Answerer {
    private let settings: Settings, tokenizer: Tokenizer

    public init(folder: URL, settings: Settings, tokenizer: Tokenizer) throws {
        self.settings = settings
        self.tokenizer = tokenizer
    }

    public func answer(_ request: String, run: ([Int32]) throws -> [Float]) throws -> Answer {
        let parts = request.unicodeScalars.split(separator: unit, omittingEmptySubsequences: false).map { String($0) }
        let half = settings.maxTokens / 2
        guard let separator = settings.separator else {
            let pairs = parts.dropFirst().map { readPair(parts[0], $0) }
            return Answer(ids: pairs, scores: try pairs.map { try run($0)[0] })
        }
        var query = tokenizer.cut(parts[0], room: half)
        if query.isEmpty { query = [0] }
        let room = settings.maxTokens - half - 1
        let alone = parts.dropFirst().map { [separator] + tokenizer.cut($0, room: room) }
        let first = try run(query)
        let scores = try alone.map { try zip(run($0), first).reduce(Float(0)) { $0 + $1.0 * $1.1 } }
        return Answer(ids: [query] + alone, scores: scores)
    }

    /// A query has at most half of the tokens, a candidate what is left; or the longer of both is cut.
    private func readPair(_ query: String, _ candidate: String) -> [Int32] {
        if settings.isLongestCut {
            let asked = tokenizer.cut(query, room: Int.max), given = tokenizer.cut(candidate, room: Int.max)
            let special = settings.pairBefore.count + settings.pairBetween.count + settings.pairAfter.count
            let first = shareRoom(asked.count, given.count, settings.maxTokens - special)
            let last = min(given.count, settings.maxTokens - special - first)
            var ids = settings.pairBefore
            ids += asked.prefix(first)
            ids += settings.pairBetween
            ids += given.prefix(last)
            return ids + settings.pairAfter
        }
        let start = settings.pairBefore + tokenizer.cut(query, room: settings.maxTokens / 2) + settings.pairBetween
        let room = settings.maxTokens - start.count - settings.pairAfter.count
        return start + tokenizer.cut(candidate, room: room) + settings.pairAfter
    }

    /// How many tokens the first of two texts keeps; the second has what is left.
    private func shareRoom(_ first: Int, _ second: Int, _ room: Int) -> Int {
        if first + second <= room { return first }
        let shorter = min(first, second, room / 2)
        return first > second ? room - shorter : shorter
    }
}

/// What is answered to a query: a score for each candidate as it came, and `order`, places from 0, the highest score
/// first, equal ones as they came. `ids` are of each run of the model.
public struct Answer {
    public let ids: [[Int32]], scores: [Float], order: [Int]

    public init(ids: [[Int32]], scores: [Float]) {
        self.ids = ids
        self.scores = scores
        order = scores.indices.sorted { scores[$0] == scores[$1] ? $0 < $1 : scores[$0] > scores[$1] }
    }

    /// Holds the answer against a row of `golden.tsv`: its columns are request, ids, scores, order.
    public func differs(_ row: [String], tolerance: Double) -> String? {
        let runs = row[1].isEmpty && ids.isEmpty ? [] : row[1].split(separator: "|", omittingEmptySubsequences: false)
        if runs.count != ids.count { return "\(ids.count) runs, expected \(runs.count)" }
        for (golden, own) in zip(runs, ids) {
            if let wrong = compareIds(String(golden), own) { return wrong }
        }
        if let wrong = compareNumbers(row[2], scores, tolerance) { return wrong }
        let golden = row[2].split(separator: " ").map { Double($0)! }
        let wanted = row[3].split(separator: " ").map { Int($0)! }
        // Candidates may change places where their golden scores differ, but not by more than rounding moves two.
        let isOrder = wanted.count == order.count && zip(wanted, order).allSatisfy { place, own in
            let apart = abs(golden[place] - golden[own])
            return place == own || (apart > 0 && apart <= 2 * tolerance)
        }
        return isOrder ? nil : "order \(order), expected \(wanted)"
    }
}
