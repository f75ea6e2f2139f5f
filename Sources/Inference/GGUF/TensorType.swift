// swift-format-ignore-file: AlwaysUseLowerCamelCase
// (the members carry the names the formats have everywhere)

/// How a tensor's elements are stored: ggml's number for it, as it stands in the file.
///
/// Any number can be wrapped; ``layout`` is nil for those whose size is not known. Numbers and sizes:
/// `ggml.h` and `ggml-common.h` of llama.cpp and, from 97 on, of ik_llama.cpp; 36 from Microsoft's BitNet.
public struct TensorType: RawRepresentable, Hashable, Sendable {
    /// ggml's number.
    public let rawValue: UInt32

    /// Wraps a number as it stands in a file.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    private init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// IEEE single precision.
    public static let f32 = TensorType(0)
    /// IEEE half precision.
    public static let f16 = TensorType(1)
    /// 32 × 4 bit, one scale.
    public static let q4_0 = TensorType(2)
    /// 32 × 4 bit, scale and minimum.
    public static let q4_1 = TensorType(3)
    /// 32 × 5 bit, one scale.
    public static let q5_0 = TensorType(6)
    /// 32 × 5 bit, scale and minimum.
    public static let q5_1 = TensorType(7)
    /// 32 × 8 bit, one scale.
    public static let q8_0 = TensorType(8)
    /// 32 × 8 bit, scale and sum; for activations.
    public static let q8_1 = TensorType(9)
    /// 256 × 2 bit, 16 sub-blocks.
    public static let q2_K = TensorType(10)
    /// 256 × 3 bit, 16 sub-blocks.
    public static let q3_K = TensorType(11)
    /// 256 × 4 bit, 8 sub-blocks with minima.
    public static let q4_K = TensorType(12)
    /// 256 × 5 bit, 8 sub-blocks with minima.
    public static let q5_K = TensorType(13)
    /// 256 × 6 bit, 16 sub-blocks.
    public static let q6_K = TensorType(14)
    /// 256 × 8 bit with sums; for activations.
    public static let q8_K = TensorType(15)
    /// 256 × 2.06 bit, codebook.
    public static let iq2_XXS = TensorType(16)
    /// 256 × 2.31 bit, codebook.
    public static let iq2_XS = TensorType(17)
    /// 256 × 3.06 bit, codebook.
    public static let iq3_XXS = TensorType(18)
    /// 256 × 1.56 bit, codebook.
    public static let iq1_S = TensorType(19)
    /// 32 × 4 bit through a 16-entry table.
    public static let iq4_NL = TensorType(20)
    /// 256 × 3.44 bit, codebook.
    public static let iq3_S = TensorType(21)
    /// 256 × 2.56 bit, codebook.
    public static let iq2_S = TensorType(22)
    /// 256 × 4.25 bit through a 16-entry table.
    public static let iq4_XS = TensorType(23)
    /// 8-bit integers.
    public static let i8 = TensorType(24)
    /// 16-bit integers.
    public static let i16 = TensorType(25)
    /// 32-bit integers.
    public static let i32 = TensorType(26)
    /// 64-bit integers.
    public static let i64 = TensorType(27)
    /// IEEE double precision.
    public static let f64 = TensorType(28)
    /// 256 × 1.75 bit, codebook.
    public static let iq1_M = TensorType(29)
    /// The upper half of IEEE single precision.
    public static let bf16 = TensorType(30)
    /// 256 ternary digits, five to a byte.
    public static let tq1_0 = TensorType(34)
    /// 256 ternary digits, four to a byte.
    public static let tq2_0 = TensorType(35)
    /// Microsoft BitNet's ternary tensors: 2 bits an element and one scale behind the whole tensor.
    public static let i2_S = TensorType(36)
    /// OCP microscaling: 32 × E2M1 under one E8M0 exponent.
    public static let mxfp4 = TensorType(39)
    /// NVIDIA's: 64 × E2M1 under four UE4M3 scales.
    public static let nvfp4 = TensorType(40)
    /// 128 × 1 bit, one scale.
    public static let q1_0 = TensorType(41)
    /// ik_llama.cpp: 64 ternary digits in 13 bytes; an f16 scale before each row.
    public static let iq1_BN = TensorType(134)
    /// ik_llama.cpp: 64 ternary digits in 16 bytes; an f32 scale before each row.
    public static let iq2_BN = TensorType(135)
}

extension TensorType {
    /// What a row of a tensor takes.
    public struct Layout: Hashable, Sendable {
        /// Elements in a block; a row holds whole blocks.
        public let blockSize: Int
        /// Bytes of a block.
        public let bytesPerBlock: Int
        /// Bytes before each row's blocks (a scale for the row).
        public let rowHeaderBytes: Int
        /// Bytes behind the last row (a scale for the tensor).
        public let tensorTrailerBytes: Int

        init(_ blockSize: Int, _ bytesPerBlock: Int, rowHeader: Int = 0, trailer: Int = 0) {
            self.blockSize = blockSize
            self.bytesPerBlock = bytesPerBlock
            rowHeaderBytes = rowHeader
            tensorTrailerBytes = trailer
        }

        /// The bytes of a row of `elements`, or nil where they are no whole number of blocks or too many.
        public func rowByteCount(_ elements: Int) -> Int? {
            guard elements > 0, elements % blockSize == 0 else { return nil }
            let (blocks, overflow) = (elements / blockSize).multipliedReportingOverflow(by: bytesPerBlock)
            let (bytes, overflowToo) = blocks.addingReportingOverflow(rowHeaderBytes)
            return overflow || overflowToo ? nil : bytes
        }

        /// The bytes of a tensor with these dimensions (innermost first), or nil as for ``rowByteCount(_:)``.
        public func byteCount(_ dimensions: [Int]) -> Int? {
            guard let length = dimensions.first, var total = rowByteCount(length) else { return nil }
            for dimension in dimensions.dropFirst() {
                let (product, overflow) = total.multipliedReportingOverflow(by: dimension)
                guard dimension > 0, !overflow else { return nil }
                total = product
            }
            let (sum, overflow) = total.addingReportingOverflow(tensorTrailerBytes)
            return overflow ? nil : sum
        }
    }

    /// The format's name as ggml writes it, in capitals (`Q4_K`); `type 77` where it is not known.
    public var name: String {
        Self.known[rawValue]?.name ?? "type \(rawValue)"
    }

    /// The layout, or nil where the number is not known.
    public var layout: Layout? {
        Self.known[rawValue]?.layout
    }

    /// The type of that name, in either case (`q4_k`, `Q4_K`).
    public init?(name: String) {
        guard let rawValue = Self.numbers[name.uppercased()] else { return nil }
        self.rawValue = rawValue
    }

    /// Every type whose layout is known, by number.
    public static let allKnown: [TensorType] = known.keys.sorted().map(TensorType.init(rawValue:))

    private static let known = Dictionary(
        uniqueKeysWithValues: table.map { ($0.number, (name: $0.name, layout: $0.layout)) })
    private static let numbers = Dictionary(
        uniqueKeysWithValues: table.map { ($0.name, $0.number) })
}

extension TensorType: CustomStringConvertible {
    /// The ``name``.
    public var description: String { name }
}
