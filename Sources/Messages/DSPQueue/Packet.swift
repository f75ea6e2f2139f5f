/// What a packet carries or is for.
public struct PacketFlags: OptionSet, Hashable, Sendable {
    /// The bits, 16 of them, as the packet header has them.
    public var rawValue: UInt16

    /// Wraps bits.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// `DSPQUEUE_PACKET_FLAG_MESSAGE`: set by the writer.
    public static let message = PacketFlags(rawValue: 0x1)
    /// `DSPQUEUE_PACKET_FLAG_BUFFERS`: set by the writer.
    public static let buffers = PacketFlags(rawValue: 0x2)
    /// `DSPQUEUE_PACKET_FLAG_WAKEUP`: an early wakeup packet, which no reader hands on.
    public static let wakeup = PacketFlags(rawValue: 0x4)
    /// `DSPQUEUE_PACKET_FLAG_DRIVER_READY`: not used.
    public static let driverReady = PacketFlags(rawValue: 0x8)
    /// `DSPQUEUE_PACKET_FLAG_USER_READY`: set by the writer.
    public static let userReady = PacketFlags(rawValue: 0x10)

    static let known: PacketFlags = [.message, .buffers, .wakeup, .driverReady, .userReady]
}

/// What a packet promises about a buffer.
public struct BufferFlags: OptionSet, Hashable, Sendable {
    /// The bits as the buffer reference has them.
    public var rawValue: UInt32

    /// Wraps bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `DSPQUEUE_BUFFER_FLAG_REF`: adds a reference to the mapping.
    public static let addReference = BufferFlags(rawValue: 0x4)
    /// `DSPQUEUE_BUFFER_FLAG_DEREF`: gives a reference back.
    public static let dropReference = BufferFlags(rawValue: 0x8)
    /// `DSPQUEUE_BUFFER_FLAG_FLUSH_SENDER`
    public static let flushSender = BufferFlags(rawValue: 0x10)
    /// `DSPQUEUE_BUFFER_FLAG_INVALIDATE_SENDER`
    public static let invalidateSender = BufferFlags(rawValue: 0x20)
    /// `DSPQUEUE_BUFFER_FLAG_FLUSH_RECIPIENT`
    public static let flushRecipient = BufferFlags(rawValue: 0x40)
    /// `DSPQUEUE_BUFFER_FLAG_INVALIDATE_RECIPIENT`
    public static let invalidateRecipient = BufferFlags(rawValue: 0x80)

    static let known: BufferFlags = [
        .addReference, .dropReference, .flushSender, .invalidateSender, .flushRecipient,
        .invalidateRecipient,
    ]
}

/// A part of a mapped buffer, as a packet names it.
public struct BufferReference: Hashable, Sendable {
    /// The descriptor under which the buffer was mapped.
    public var descriptor: UInt32
    /// Bytes of the part, or 0 for the whole mapping.
    public var byteCount: UInt32
    /// Where the part starts in the mapping.
    public var offset: UInt32
    /// References and cache maintenance.
    public var flags: BufferFlags

    /// Describes a part; without a size the whole mapping.
    public init(descriptor: UInt32, offset: UInt32 = 0, byteCount: UInt32 = 0, flags: BufferFlags = []) {
        self.descriptor = descriptor
        self.byteCount = byteCount
        self.offset = offset
        self.flags = flags
    }

    /// Bytes of a reference in a packet: four words and 8 bytes for an address, which is 0 there.
    static let byteCount = 24

    init(_ bytes: UnsafeRawPointer) {
        func word(_ offset: Int) -> UInt32 {
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
        self.init(
            descriptor: word(0), offset: word(8), byteCount: word(4), flags: BufferFlags(rawValue: word(12)))
    }

    func store(_ bytes: UnsafeMutableRawPointer) {
        for (index, word) in [descriptor, byteCount, offset, flags.rawValue, 0, 0].enumerated() {
            bytes.storeBytes(of: word.littleEndian, toByteOffset: 4 * index, as: UInt32.self)
        }
    }
}

/// The limits of a packet.
package enum PacketLimits {
    /// Buffer references.
    package static let bufferCount = 64
    /// Bytes of the message.
    package static let messageByteCount = 65_536
}

/// The 8 bytes before every packet.
package struct PacketHeader: Hashable, Sendable {
    /// The lowest 8 bits of the packet's number.
    package var sequence: UInt8
    /// How many buffer references follow, at most 64.
    package var bufferCount: Int
    /// What the packet carries.
    package var flags: PacketFlags
    /// Bytes of the message behind them, at most 65,536.
    package var messageByteCount: Int

    /// Header, references and message, without padding.
    package var byteCount: Int { 8 + BufferReference.byteCount * bufferCount + messageByteCount }
    /// The bytes that the packet takes.
    package var paddedByteCount: Int { (byteCount + 7) & ~7 }

    package init(sequence: UInt8, bufferCount: Int, flags: PacketFlags, messageByteCount: Int) {
        self.sequence = sequence
        self.bufferCount = bufferCount
        self.flags = flags
        self.messageByteCount = messageByteCount
    }

    /// Checks what the other side wrote.
    package init(checking word: UInt64) throws(DSPQueueError) {
        sequence = UInt8(truncatingIfNeeded: word >> 56)
        bufferCount = Int(UInt8(truncatingIfNeeded: word >> 48))
        flags = PacketFlags(rawValue: UInt16(truncatingIfNeeded: word >> 32))
        messageByteCount =
            Int(UInt32(truncatingIfNeeded: word)) - 8 - BufferReference.byteCount * bufferCount
        guard bufferCount <= PacketLimits.bufferCount else { throw .corrupt("\(bufferCount) buffers") }
        guard flags.isSubset(of: .known) else { throw .corrupt("packet flags \(flags.rawValue)") }
        guard messageByteCount >= 0, messageByteCount <= PacketLimits.messageByteCount else {
            throw .corrupt("packet length \(UInt32(truncatingIfNeeded: word)), \(bufferCount) buffers")
        }
    }

    /// Sequence, buffer count, flags and length, from the top: 8, 8, 16 and 32 bits.
    package var word: UInt64 {
        UInt64(sequence) << 56 | UInt64(bufferCount) << 48 | UInt64(flags.rawValue) << 32
            | UInt64(byteCount)
    }
}

/// A packet as it lies in the queue; buffers are not looked up yet.
package struct RawPacket: Hashable, Sendable {
    package var flags: PacketFlags
    package var buffers: [BufferReference]
    package var message: [UInt8]

    package init(flags: PacketFlags, buffers: [BufferReference], message: [UInt8]) {
        self.flags = flags
        self.buffers = buffers
        self.message = message
    }
}
