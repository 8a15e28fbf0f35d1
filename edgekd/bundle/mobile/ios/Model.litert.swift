import Foundation
import LiteRT

/// The bundle's model on LiteRT; `folder` holds its files. One thread at a time.
public final class Model {
    /// One signature a number of tokens; a text takes the next longer one and is padded.
    private struct Bucket {
        let tokens: Int, index: Int, inputs: [TensorBuffer], ids: Int, outputs: [TensorBuffer]
    }

    private let settings: Settings
    private let answerer: Answerer
    private let model: CompiledModel
    private var buckets: [Bucket] = []

    public init(folder: URL) throws {
        settings = Settings(lines: try readLines(folder, "model.txt"))
        answerer = try Answerer(
            folder: folder, settings: settings, tokenizer: try Tokenizer(folder: folder, settings: settings))
        let cpu = try CpuOptions()
        try cpu.setNumThreads(1)
        try cpu.setKernelMode(settings.kernels == "builtin" ? .builtin : .delegate)
        let options = try Options()
        try options.setHardwareAccelerators([.cpu])
        try options.addConcreteOptions(cpu)
        model = try CompiledModel(
            filePath: folder.appendingPathComponent(settings.model).path,
            environment: try Environment(),
            options: options
        )
        for signature in settings.signatures {
            let first = try model.inputName(inputIndex: 0, signatureIndex: signature.index)
            buckets.append(
                Bucket(
                    tokens: signature.tokens,
                    index: signature.index,
                    inputs: try model.createInputBuffers(signatureIndex: signature.index),
                    ids: first == settings.input ? 0 : 1,
                    outputs: try model.createOutputBuffers(signatureIndex: signature.index)
                ))
        }
    }

    public func answer(_ text: String) throws -> Answer { try answerer.answer(text, run: infer) }

    private func infer(_ ids: [Int32]) throws -> [Float] {
        // A text without any token gets the answer of token 0.
        let row: [Int32] = ids.isEmpty ? [0] : ids
        let bucket = buckets.first { $0.tokens >= row.count }!
        let padding = [Int32](repeating: 0, count: bucket.tokens - row.count)
        try bucket.inputs[bucket.ids].write(row + padding)
        try bucket.inputs[1 - bucket.ids].write([Int32](repeating: 1, count: row.count) + padding)
        try model.run(inputs: bucket.inputs, outputs: bucket.outputs, signatureIndex: bucket.index)
        let logits: [Float] = try bucket.outputs[0].read()
        return logits
    }
}
