import Foundation
import OnnxRuntimeBindings  // of the Swift package; with CocoaPods: import onnxruntime_objc

/// The bundle's model on ONNX Runtime; `folder` holds its files. One thread at a time.
public final class Model {
    private let settings: Settings
    private let answerer: Answerer
    private let environment: ORTEnv
    private let session: ORTSession

    public init(folder: URL) throws {
        settings = Settings(lines: try readLines(folder, "model.txt"))
        answerer = try Answerer(
            folder: folder, settings: settings, tokenizer: try Tokenizer(folder: folder, settings: settings))
        setenv("ORT_DISABLE_TELEMETRY", "1", 1)  // read when the environment is made: no events to its maker
        environment = try ORTEnv(loggingLevel: .error)
        let options = try ORTSessionOptions()
        try options.setIntraOpNumThreads(1)
        // Arm's kernels for processors with SME round int8 inputs otherwise: other answers, labels too.
        try options.addConfigEntry(withKey: "mlas.disable_kleidiai", value: "1")
        let path = folder.appendingPathComponent(settings.model).path
        session = try ORTSession(env: environment, modelPath: path, sessionOptions: options)
    }

    public func answer(_ text: String) throws -> Answer { try answerer.answer(text, run: infer) }

    private func infer(_ ids: [Int32]) throws -> [Float] {
        // A text without any token gets the answer of token 0.
        let row = ids.isEmpty ? [0] : ids.map(Int64.init)
        let data = row.withUnsafeBytes { NSMutableData(bytes: $0.baseAddress!, length: $0.count) }
        let shape = [1, NSNumber(value: row.count)]
        let input = try ORTValue(tensorData: data, elementType: .int64, shape: shape)
        let outputs = try session.run(
            withInputs: [settings.input: input], outputNames: [settings.output], runOptions: nil)
        let bytes = try outputs[settings.output]!.tensorData() as Data
        return bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    }
}
