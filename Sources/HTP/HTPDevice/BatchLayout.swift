/// Offsets and sizes of the command buffer; `htp_batch.h` of the DSP program is their source, and a test
/// compares them.
package enum BatchLayout {
    package static let magic: UInt32 = 0x4250_5448
    package static let version: UInt32 = 1
    package static let headerBytes = 64
    package static let bufferEntryBytes = 16
    package static let operationBytes = 128
    package static let operationsMax = 8192
    package static let buffersMax = 64
    package static let rowsMax = 4096

    /// Byte offsets in the header.
    package enum Header {
        package static let magic = 0
        package static let version = 4
        package static let byteCount = 8
        package static let bufferCount = 12
        package static let operationCount = 16
        package static let rows = 20
        package static let status = 32
        package static let executed = 36
        package static let fault = 40
        package static let faultOperation = 44
        package static let microseconds = 48
        package static let multiplyAdds = 56
    }

    /// Byte offsets in a buffer entry.
    package enum BufferEntry {
        package static let descriptor = 0
        package static let byteCount = 8
    }

    /// Byte offsets in an operation.
    package enum Operation {
        package static let opcode = 0
        package static let flags = 4
        package static let tileKind = 8
        package static let outputs = 12
        package static let inputs = 16
        package static let weights = 32
        package static let source = 48
        package static let destination = 64
    }

    /// Byte offsets in a tensor.
    package enum Tensor {
        package static let buffer = 0
        package static let stride = 4
        package static let offset = 8
    }

    /// `HTP_OP_MATMUL`
    package static let matmul: UInt32 = 1
    /// `HTP_OPERATION_SAME_SOURCE`
    package static let sameSource: UInt32 = 1

    /// What the program found wrong, by `enum htp_fault`.
    static func describe(fault: UInt32) -> String {
        let texts = [
            "no fault", "the batch's header is inconsistent", "a buffer is not mapped",
            "an unknown operation",
            "a shape that it cannot multiply", "a tensor reaches outside its buffer",
            "the DSP process is out of memory", "the program has not been started",
        ]
        return Int(fault) < texts.count ? texts[Int(fault)] : "unknown fault \(fault)"
    }
}

/// Writes little-endian fields at byte offsets.
struct FieldWriter {
    let base: UnsafeMutableRawPointer

    func store<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
        base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
    }

    func load<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type) -> Value {
        Value(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: type))
    }

    func storeTensor(buffer: Int, stride: Int, offset: Int, at position: Int) {
        store(UInt32(buffer), at: position + BatchLayout.Tensor.buffer)
        store(UInt32(stride), at: position + BatchLayout.Tensor.stride)
        store(UInt64(offset), at: position + BatchLayout.Tensor.offset)
    }
}
