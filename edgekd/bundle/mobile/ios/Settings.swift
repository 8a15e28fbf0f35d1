import Foundation

/// Reads lines of UTF-8. A line ends at a line feed alone: a token may hold any other character, and for
/// `String` a carriage return with a line feed is one character.
public func readLines(_ folder: URL, _ name: String) throws -> [String] {
    var bytes = try Data(contentsOf: folder.appendingPathComponent(name))
    if bytes.last == 10 { bytes.removeLast() }
    return bytes.split(separator: 10, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
}

/// A text as its code points. `String` finds "é" equal in both its spellings; these are not.
public typealias Points = [UInt32]

public func points(_ text: String) -> Points { text.unicodeScalars.map { $0.value } }

/// What `model.txt` says: lines of a key, one space, and a value.
public struct Settings {
    /// A token that stands for itself in a text.
    public struct Added { let id: Int32, text: Points }

    /// LiteRT: one way to call the model, for texts of at most so many tokens.
    public struct Signature { let tokens: Int, index: Int, name: String }

    public let model: String, input: String, mask: String?, output: String, kernels: String?
    public let signatures: [Signature]
    public let maxTokens: Int, before: [Int32], after: [Int32], unknown: Int32

    /// Of a model that ranks pairs: the ids before the query, between it and the candidate, and after that.
    public let pairBefore: [Int32], pairBetween: [Int32], pairAfter: [Int32]

    /// Whether what is too long for a pair is cut off the longer of both; else the query has at most half.
    public let isLongestCut: Bool

    /// Of a model that ranks by the product of two vectors: what a candidate begins with.
    public let separator: Int32?
    public let prefix: Points, longestWord: Int, added: [Added]
    public let temperature: Double, tolerance: Double

    /// What is added to logit / temperature of a label, by its place in labels.txt, where one is chosen.
    public let bias: [Int: Double]

    public init(lines: [String]) {
        var values: [String: [String]] = [:]
        for line in lines {
            let scalars = line.unicodeScalars
            guard let space = scalars.firstIndex(of: " ") else { continue }
            let value = String(scalars[scalars.index(after: space)...])
            values[String(scalars[..<space]), default: []].append(value)
        }
        func all(_ key: String) -> [String] { values[key] ?? [] }
        func one(_ key: String) -> String { all(key)[0] }
        model = one("model")
        input = one("input")
        mask = all("mask").first
        output = one("output")
        kernels = all("kernels").first
        signatures = all("signature").map { line in
            let part = line.split(separator: " ", maxSplits: 2)
            return Signature(tokens: Int(part[0])!, index: Int(part[1])!, name: String(part[2]))
        }
        maxTokens = Int(one("max_tokens"))!
        before = all("before").map { Int32($0)! }
        after = all("after").map { Int32($0)! }
        pairBefore = all("pair_before").map { Int32($0)! }
        pairBetween = all("pair_between").map { Int32($0)! }
        pairAfter = all("pair_after").map { Int32($0)! }
        isLongestCut = all("cut").first == "longest"
        separator = all("separator").first.map { Int32($0)! }
        unknown = Int32(one("unknown"))!
        prefix = points(one("prefix"))
        longestWord = Int(one("longest_word"))!
        added = all("added").map { line in
            let scalars = line.unicodeScalars
            let space = scalars.firstIndex(of: " ")!
            return Added(id: Int32(String(scalars[..<space]))!, text: scalars[space...].dropFirst().map { $0.value })
        }
        temperature = all("temperature").first.map { Double($0)! } ?? 1
        bias = Dictionary(uniqueKeysWithValues: all("bias").map { line in
            let part = line.split(separator: " ")
            return (Int(part[0])!, Double(part[1])!)
        })
        tolerance = Double(one("tolerance"))!
    }
}
