/// Offsets and sizes of the command buffer; `htp_batch.h` of the DSP program is their source, and a test
/// compares them.
package enum BatchLayout {
    package static let magic: UInt32 = 0x4250_5448
    package static let version: UInt32 = 2
    package static let headerBytes = 128
    package static let bufferEntryBytes = 16
    package static let operationBytes = 256
    package static let operationsMax = 8192
    package static let buffersMax = 64
    package static let rowsMax = 4096
    package static let positionsMax = 1 << 30
    package static let headSizeMax = 1024
    package static let headsMax = 1024
    /// Values that ``BatchBuilder/top(_:of:width:places:values:rows:)`` finds.
    package static let topCountMax = 256
    package static let expertsMax = 512
    package static let chosenExpertsMax = 64

    /// Byte offsets in the header.
    package enum Header {
        package static let magic = 0
        package static let version = 4
        package static let byteCount = 8
        package static let bufferCount = 12
        package static let operationCount = 16
        package static let tokens = 20
        package static let outputs = 24
        package static let position = 28
        package static let status = 64
        package static let executed = 68
        package static let fault = 72
        package static let faultOperation = 76
        package static let microseconds = 80
        package static let multiplyAdds = 88
    }

    /// Byte offsets in a buffer entry.
    package enum BufferEntry {
        package static let descriptor = 0
        package static let flags = 4
        package static let byteCount = 8
    }

    /// Byte offsets in an operation.
    package enum Operation {
        package static let opcode = 0
        package static let flags = 4
        package static let rows = 8
        package static let present = 12
        package static let refresh = 13
        package static let publish = 14
        package static let tensors = 16
        package static let parameters = 128
    }

    /// Places of tensors in an operation (`enum htp_tensor_slot`).
    package enum Slot {
        package static let destination = 0
        package static let destination2 = 1
        package static let input0 = 2
        package static let count = 7
    }

    /// Byte offsets in a tensor.
    package enum Tensor {
        package static let byteCount = 16
        package static let buffer = 0
        package static let stride = 4
        package static let offset = 8
    }

    /// `HTP_BUFFER_REFRESH` and `HTP_BUFFER_PUBLISH`
    package static let refreshAndPublish: UInt32 = 3

    /// `HTP_MATMUL_SAME_SOURCE`
    package static let sameSource: UInt32 = 1
    /// `HTP_MATMUL_TWICE`
    package static let twice: UInt32 = 2

    /// What the program found wrong, by `enum htp_fault`.
    static func describe(fault: UInt32) -> String {
        let texts = [
            "no fault", "the batch's header is inconsistent", "a buffer is not mapped",
            "an unknown operation",
            "a shape that it cannot compute", "a tensor reaches outside its buffer",
            "the DSP process is out of memory", "the program has not been started",
            "a result would overwrite another tensor", "a row or expert number is outside its table",
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
