import GGUF

/// Reads the numbers of an architecture from `<architecture>.*`, each within bounds that keep sizes sane.
struct Hyperparameters {
    let file: GGUFFile
    let architecture: String

    init(_ file: GGUFFile) throws {
        self.file = file
        architecture = try file.metadata.string("general.architecture")
    }

    /// A number that must be there, 1…`limit`.
    func count(_ key: String, limit: Int = 1 << 24) throws -> Int {
        try check(try file.metadata.integer("\(architecture).\(key)"), key, limit)
    }

    /// A number that may be missing.
    func count(_ key: String, default value: Int, limit: Int = 1 << 24) throws -> Int {
        try check(try file.metadata.integerIfPresent("\(architecture).\(key)") ?? value, key, limit)
    }

    func float(_ key: String) throws -> Double {
        try finite(try file.metadata.float("\(architecture).\(key)"), key)
    }

    func float(_ key: String, default value: Double) throws -> Double {
        try finite(try file.metadata.floatIfPresent("\(architecture).\(key)") ?? value, key)
    }

    func string(_ key: String) throws -> String? {
        try file.metadata.stringIfPresent("\(architecture).\(key)")
    }

    /// A small tensor of single precision numbers, which must be finite.
    func floats(_ name: String, count: Int) throws -> [Float] {
        let tensor = try file.requiredTensor(named: name)
        guard tensor.type == .f32, tensor.elementCount == count else {
            throw fail("tensor \(quoted(name)) is not \(count) numbers of type F32")
        }
        let bytes = file.bytes(of: tensor)
        return try (0..<count).map { index in
            let bits = bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
            let value = Float(bitPattern: UInt32(littleEndian: bits))
            guard value.isFinite else {
                throw fail("tensor \(quoted(name)) holds \(value) at \(index), expected a finite number")
            }
            return value
        }
    }

    /// Fails with the file's name in front.
    func fail(_ problem: String) -> ModelError {
        ModelError("\(file.path): \(problem)")
    }

    private func check(_ value: Int, _ key: String, _ limit: Int) throws -> Int {
        guard (1...limit).contains(value) else {
            throw fail("\(architecture).\(key) is \(value), expected 1 to \(limit)")
        }
        return value
    }

    private func finite(_ value: Double, _ key: String) throws -> Double {
        guard value.isFinite, value >= 0 else {
            throw fail("\(architecture).\(key) is \(value), expected a finite number from 0 on")
        }
        return value
    }
}
