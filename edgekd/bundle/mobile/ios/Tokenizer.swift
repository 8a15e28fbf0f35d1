import Foundation

/// From a text to token ids: BERT's WordPiece, over the bundle's own tables.
///
/// Nothing here asks the platform about characters: what it knows of Unicode differs between versions. Words are
/// arrays of code points, for a Swift `Character` is a cluster of them.
public struct Tokenizer {
    private struct Line { let first: UInt32, last: UInt32, kind: String }

    private let settings: Settings
    private var vocabulary: [ArraySlice<UInt32>: Int32] = [:]
    private var lines: [Line] = []

    public init(folder: URL, settings: Settings) throws {
        self.settings = settings
        for (id, token) in try readLines(folder, "vocab.txt").enumerated() {
            vocabulary[points(token)[...]] = Int32(id)
        }
        for line in try readLines(folder, "characters.txt") where !line.isEmpty {
            let part = line.split(separator: " ", maxSplits: 2)
            let ends = (UInt32(part[0], radix: 16)!, UInt32(part[1], radix: 16)!)
            lines.append(Line(first: ends.0, last: ends.1, kind: String(part[2])))
        }
    }

    /// Returns the ids of a text, at most `max_tokens`.
    public func tokenize(_ text: String) -> [Int32] {
        let room = settings.maxTokens - settings.before.count - settings.after.count
        return settings.before + cut(text, room: room) + settings.after
    }

    /// Returns the ids of a text without any around them, at most `room`.
    public func cut(_ text: String, room: Int) -> [Int32] {
        let text = points(text)
        var ids: [Int32] = []
        var word: Points = []
        var at = 0
        while at < text.count && ids.count < room {
            if let token = settings.added.first(where: { text[at...].starts(with: $0.text) }) {
                endWord(&word, &ids)
                ids.append(token.id)
                at += token.text.count
            } else {
                treat(text[at]) { point in
                    if point == 0x20 { endWord(&word, &ids) } else { word.append(point) }
                }
                at += 1
            }
        }
        endWord(&word, &ids)
        return Array(ids.prefix(room))
    }

    /// Gives on what a character becomes, as its line of `characters.txt` says.
    private func treat(_ point: UInt32, _ give: (UInt32) -> Void) {
        var low = 0, high = lines.count
        while low < high {
            let middle = (low + high) / 2
            if lines[middle].first <= point { low = middle + 1 } else { high = middle }
        }
        guard low > 0, point <= lines[low - 1].last else { return give(point) }
        let part = lines[low - 1].kind.split(separator: " ")
        switch part[0] {
        case "drop": break
        case "space": give(0x20)
        case "alone":
            give(0x20)
            give(point)
            give(0x20)
        case "add": give(UInt32(Int(point) + Int(part[1])!))
        case "hangul":  // Unicode Standard, 3.12
            let place = point - 0xAC00
            give(0x1100 + place / 588)
            give(0x1161 + place % 588 / 28)
            if place % 28 > 0 { give(0x11A7 + place % 28) }
        default:  // = and code points
            for code in part.dropFirst() { give(UInt32(code, radix: 16)!) }
        }
    }

    /// Cuts a word into the longest known pieces from the left; one unknown makes all of it unknown.
    private func endWord(_ word: inout Points, _ ids: inout [Int32]) {
        if word.isEmpty { return }
        let whole = word
        word.removeAll(keepingCapacity: true)
        let known = vocabulary[whole[...]]
        if known != nil || whole.count > settings.longestWord {
            ids.append(known ?? settings.unknown)
            return
        }
        var pieces: [Int32] = []
        var start = 0
        while start < whole.count {
            var end = whole.count
            var piece: Int32?
            while end > start {
                let part = whole[start..<end]
                piece = vocabulary[start > 0 ? (settings.prefix + part)[...] : part]
                if piece != nil { break }
                end -= 1
            }
            guard let piece else {
                ids.append(settings.unknown)
                return
            }
            pieces.append(piece)
            start = end
        }
        ids += pieces
    }
}
