/// A tensor's entry in a GGUF file, checked against the file when it was opened.
public struct TensorInfo: Hashable, Sendable {
    /// The tensor's name, e.g. `blk.0.attn_q.weight`.
    public let name: String
    /// One to four extents, all positive, the innermost (contiguous) first: a matrix is `[inputs, outputs]`.
    public let dimensions: [Int]
    /// How the elements are stored.
    public let type: TensorType
    /// Where the tensor's bytes begin in its file.
    public let fileOffset: Int
    /// How many they are.
    public let byteCount: Int

    /// Elements of a row.
    public var rowLength: Int { dimensions[0] }
    /// Rows: the product of all dimensions but the first.
    public var rowCount: Int { dimensions.dropFirst().reduce(1, *) }
    /// Elements of the tensor.
    public var elementCount: Int { rowLength * rowCount }
    /// Bytes from one row to the next.
    public let rowByteCount: Int
    /// Which file of a split model holds it, from 0.
    public let part: Int
}
