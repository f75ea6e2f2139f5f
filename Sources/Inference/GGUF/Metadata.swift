/// The key-value pairs of a GGUF file, in the file's order.
///
/// Values are decoded when asked for. A typed accessor throws ``GGUFError`` where the key is missing or the
/// value has another type; its `…IfPresent` twin returns nil for a missing key only.
public struct Metadata: Sendable {
    struct Entry: Sendable {
        let key: String
        let type: MetadataType
        /// Behind the type, and for an array behind the count: where its elements are.
        let range: Range<Int>
        /// For an array.
        let elementType: MetadataType
        let count: Int
    }

    private let file: MappedFile
    private let entries: [Entry]
    private let indices: [String: Int]

    init(file: MappedFile, entries: [Entry], indices: [String: Int]) {
        self.file = file
        self.entries = entries
        self.indices = indices
    }

    /// Every key, in the file's order.
    public var keys: [String] { entries.map(\.key) }
    /// How many pairs there are.
    public var count: Int { entries.count }

    /// The value of a key, or nil.
    public subscript(key: String) -> MetadataValue? {
        guard let index = indices[key] else { return nil }
        let entry = entries[index]
        switch entry.type {
        case .string:
            return .string(String(decoding: file.bytes[entry.range], as: UTF8.self))
        case .array:
            return .array(
                MetadataArray(elementType: entry.elementType, count: entry.count, in: file, entry.range))
        default:
            return MetadataValue(scalar: entry.type, file.bytes, at: entry.range.lowerBound)
        }
    }
}

extension Metadata {
    /// A text.
    public func string(_ key: String) throws(GGUFError) -> String {
        try required(key, stringIfPresent(key))
    }

    /// A text, or nil for a missing key.
    public func stringIfPresent(_ key: String) throws(GGUFError) -> String? {
        try value(key, "a string") { $0.string }
    }

    /// A whole number stored with any width.
    public func integer(_ key: String) throws(GGUFError) -> Int {
        try required(key, integerIfPresent(key))
    }

    /// A whole number stored with any width, or nil for a missing key.
    public func integerIfPresent(_ key: String) throws(GGUFError) -> Int? {
        try value(key, "a whole number") { $0.integer }
    }

    /// A number: floating-point, or whole.
    public func float(_ key: String) throws(GGUFError) -> Double {
        try required(key, floatIfPresent(key))
    }

    /// A number, or nil for a missing key.
    public func floatIfPresent(_ key: String) throws(GGUFError) -> Double? {
        try value(key, "a number") { $0.float }
    }

    /// A truth value.
    public func bool(_ key: String) throws(GGUFError) -> Bool {
        try required(key, boolIfPresent(key))
    }

    /// A truth value, or nil for a missing key.
    public func boolIfPresent(_ key: String) throws(GGUFError) -> Bool? {
        try value(key, "true or false") { $0.bool }
    }

    /// An array of whatever type.
    public func array(_ key: String) throws(GGUFError) -> MetadataArray {
        try required(key, arrayIfPresent(key))
    }

    /// An array of whatever type, or nil for a missing key.
    public func arrayIfPresent(_ key: String) throws(GGUFError) -> MetadataArray? {
        try value(key, "an array") { $0.array }
    }

    /// An array of texts. Long ones are better read with ``MetadataArray/forEachString(_:)``.
    public func strings(_ key: String) throws(GGUFError) -> [String] {
        try required(key, stringsIfPresent(key))
    }

    /// An array of texts, or nil for a missing key.
    public func stringsIfPresent(_ key: String) throws(GGUFError) -> [String]? {
        try value(key, "an array of strings") { $0.array?.strings }
    }

    /// An array of whole numbers.
    public func integers(_ key: String) throws(GGUFError) -> [Int] {
        try required(key, integersIfPresent(key))
    }

    /// An array of whole numbers, or nil for a missing key.
    public func integersIfPresent(_ key: String) throws(GGUFError) -> [Int]? {
        try value(key, "an array of whole numbers") { $0.array?.integers }
    }

    /// An array of numbers, in single precision.
    public func floats(_ key: String) throws(GGUFError) -> [Float] {
        try required(key, floatsIfPresent(key))
    }

    /// An array of numbers in single precision, or nil for a missing key.
    public func floatsIfPresent(_ key: String) throws(GGUFError) -> [Float]? {
        try value(key, "an array of numbers") { $0.array?.floats }
    }

    /// An array of truth values.
    public func bools(_ key: String) throws(GGUFError) -> [Bool] {
        try required(key, boolsIfPresent(key))
    }

    /// An array of truth values, or nil for a missing key.
    public func boolsIfPresent(_ key: String) throws(GGUFError) -> [Bool]? {
        try value(key, "an array of true and false") { $0.array?.bools }
    }

    private func value<Value>(
        _ key: String, _ expectation: String, _ convert: (MetadataValue) -> Value?
    ) throws(GGUFError) -> Value? {
        guard let index = indices[key], let value = self[key] else { return nil }
        if let converted = convert(value) { return converted }
        let entry = entries[index]
        let found = entry.type == .array ? "an array of \(entry.elementType)" : "\(entry.type)"
        throw GGUFError(
            .wrongType, path: file.path, at: entry.range.lowerBound,
            "key \(quoted(key)) should be \(expectation) in range, but is \(found)")
    }

    private func required<Value>(_ key: String, _ value: Value?) throws(GGUFError) -> Value {
        guard let value else {
            throw GGUFError(.missing, path: file.path, "key \(quoted(key)) is missing")
        }
        return value
    }
}
