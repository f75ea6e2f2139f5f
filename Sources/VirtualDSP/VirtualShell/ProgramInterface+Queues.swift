// The DSP's side of dspqueue in C. Signatures: qualcomm/fastrpc, inc/dspqueue.h.
import DSPQueue
import RemoteCalls

/// `struct dspqueue_buffer`: descriptor, size, offset and flags, four words, and the local address.
private enum CBuffer {
    static let byteCount = 24

    static func read(_ pointer: UnsafeRawPointer) -> BufferReference {
        BufferReference(
            descriptor: pointer.load(as: UInt32.self),
            offset: pointer.load(fromByteOffset: 8, as: UInt32.self),
            byteCount: pointer.load(fromByteOffset: 4, as: UInt32.self),
            flags: BufferFlags(rawValue: pointer.load(fromByteOffset: 12, as: UInt32.self)))
    }

    static func write(_ buffer: ReceivedBuffer, _ pointer: UnsafeMutableRawPointer) {
        let reference = buffer.reference
        pointer.storeBytes(of: reference.descriptor, as: UInt32.self)
        pointer.storeBytes(of: UInt32(clamping: buffer.bytes.count), toByteOffset: 4, as: UInt32.self)
        pointer.storeBytes(of: reference.offset, toByteOffset: 8, as: UInt32.self)
        pointer.storeBytes(of: reference.flags.rawValue, toByteOffset: 12, as: UInt32.self)
        pointer.storeBytes(
            of: UInt64(UInt(bitPattern: buffer.bytes.baseAddress)), toByteOffset: 16, as: UInt64.self)
    }
}

/// How long a call may wait.
private enum Patience {
    case none
    /// Microseconds; all bits set for ever.
    case upTo(UInt32)
}

/// Runs one attempt or waits; gives the C status.
private func perform(
    _ pointer: UnsafeMutableRawPointer?, _ patience: Patience, isReading: Bool,
    _ attempt: (ProgramQueue) throws(DSPQueueError) -> Void?
) -> CInt {
    guard let queue = ProgramQueue.queue(pointer) else { return AEEResult.badParameter.status }
    do throws(DSPQueueError) {
        switch patience {
        case .none:
            return try attempt(queue) == nil ? AEEResult.wouldBlock.status : 0
        case .upTo(let microseconds):
            let timeout: Duration? = microseconds == .max ? nil : .microseconds(Int64(microseconds))
            try queue.waiting(timeout, isReading: isReading) { () throws(DSPQueueError) in try attempt(queue)
            }
            return 0
        }
    } catch {
        return error.result.status
    }
}

/// `dspqueue_import`: opens a queue by the number that the client exported.
@_cdecl("dspqueue_import")
public func dspqueueImport(
    _ id: UInt64,
    _ packetCallback: (@convention(c) (UnsafeMutableRawPointer?, CInt, UnsafeMutableRawPointer?) -> Void)?,
    _ errorCallback: (@convention(c) (UnsafeMutableRawPointer?, CInt, UnsafeMutableRawPointer?) -> Void)?,
    _ context: UnsafeMutableRawPointer?, _ queue: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> CInt {
    guard let shell = CurrentShell.shell else { return AEEResult.unsupported.status }
    guard let queue else { return AEEResult.badParameter.status }
    let callbacks = ProgramQueue.Callbacks(packet: packetCallback, error: errorCallback, context: context)
    let hangs = shell.behaviour == .queueHang
    var made: ProgramQueue?
    let result = shell.queues.open(id) { offer in
        let queue = ProgramQueue(shell, offer, callbacks, hangs: hangs)
        made = queue
        return queue
    }
    guard result == .success, let made else { return result.status }
    // The callback may come before this returns.
    queue.pointee = made.pointer
    return made.start() ? 0 : AEEResult.noMemory.status
}

/// `dspqueue_close`
@_cdecl("dspqueue_close")
public func dspqueueClose(_ queue: UnsafeMutableRawPointer?) -> CInt {
    guard let queue = ProgramQueue.queue(queue) else { return AEEResult.badParameter.status }
    queue.close()
    return 0
}

private func read(
    _ queue: UnsafeMutableRawPointer?, _ patience: Patience, _ flags: UnsafeMutablePointer<UInt32>?,
    _ maximumBuffers: UInt32, _ bufferCount: UnsafeMutablePointer<UInt32>?,
    _ buffers: UnsafeMutableRawPointer?, _ maximumMessage: UInt32,
    _ messageByteCount: UnsafeMutablePointer<UInt32>?, _ message: UnsafeMutableRawPointer?
) -> CInt {
    perform(queue, patience, isReading: true) { queue throws(DSPQueueError) in
        // Without a place for them buffers and messages are dropped.
        guard
            let packet = try queue.read(
                maximumBuffers: buffers == nil ? .max : Int(maximumBuffers),
                maximumMessage: message == nil ? .max : Int(maximumMessage))
        else { return nil }
        flags?.pointee = UInt32(packet.flags.rawValue)
        bufferCount?.pointee = UInt32(packet.buffers.count)
        messageByteCount?.pointee = UInt32(packet.message.count)
        if let buffers {
            for (index, buffer) in packet.buffers.enumerated() {
                CBuffer.write(buffer, buffers + CBuffer.byteCount * index)
            }
        }
        message?.copyMemory(from: packet.message, byteCount: packet.message.count)
        return ()
    }
}

/// `dspqueue_read_noblock`
@_cdecl("dspqueue_read_noblock")
public func dspqueueReadNoblock(
    _ queue: UnsafeMutableRawPointer?, _ flags: UnsafeMutablePointer<UInt32>?, _ maximumBuffers: UInt32,
    _ bufferCount: UnsafeMutablePointer<UInt32>?, _ buffers: UnsafeMutableRawPointer?,
    _ maximumMessage: UInt32, _ messageByteCount: UnsafeMutablePointer<UInt32>?,
    _ message: UnsafeMutableRawPointer?
) -> CInt {
    read(
        queue, .none, flags, maximumBuffers, bufferCount, buffers, maximumMessage, messageByteCount, message)
}

/// `dspqueue_read`
@_cdecl("dspqueue_read")
public func dspqueueRead(
    _ queue: UnsafeMutableRawPointer?, _ flags: UnsafeMutablePointer<UInt32>?, _ maximumBuffers: UInt32,
    _ bufferCount: UnsafeMutablePointer<UInt32>?, _ buffers: UnsafeMutableRawPointer?,
    _ maximumMessage: UInt32, _ messageByteCount: UnsafeMutablePointer<UInt32>?,
    _ message: UnsafeMutableRawPointer?, _ timeout: UInt32
) -> CInt {
    read(
        queue, .upTo(timeout), flags, maximumBuffers, bufferCount, buffers, maximumMessage, messageByteCount,
        message)
}

private func peek(
    _ queue: UnsafeMutableRawPointer?, _ patience: Patience, _ flags: UnsafeMutablePointer<UInt32>?,
    _ bufferCount: UnsafeMutablePointer<UInt32>?, _ messageByteCount: UnsafeMutablePointer<UInt32>?
) -> CInt {
    perform(queue, patience, isReading: true) { queue throws(DSPQueueError) in
        guard let header = try queue.peek() else { return nil }
        flags?.pointee = UInt32(header.flags.rawValue)
        bufferCount?.pointee = UInt32(header.bufferCount)
        messageByteCount?.pointee = UInt32(header.messageByteCount)
        return ()
    }
}

/// `dspqueue_peek_noblock`
@_cdecl("dspqueue_peek_noblock")
public func dspqueuePeekNoblock(
    _ queue: UnsafeMutableRawPointer?, _ flags: UnsafeMutablePointer<UInt32>?,
    _ bufferCount: UnsafeMutablePointer<UInt32>?, _ messageByteCount: UnsafeMutablePointer<UInt32>?
) -> CInt {
    peek(queue, .none, flags, bufferCount, messageByteCount)
}

/// `dspqueue_peek`
@_cdecl("dspqueue_peek")
public func dspqueuePeek(
    _ queue: UnsafeMutableRawPointer?, _ flags: UnsafeMutablePointer<UInt32>?,
    _ bufferCount: UnsafeMutablePointer<UInt32>?, _ messageByteCount: UnsafeMutablePointer<UInt32>?,
    _ timeout: UInt32
) -> CInt {
    peek(queue, .upTo(timeout), flags, bufferCount, messageByteCount)
}

private func write(
    _ queue: UnsafeMutableRawPointer?, _ patience: Patience, _ flags: UInt32, _ bufferCount: UInt32,
    _ buffers: UnsafeRawPointer?, _ messageByteCount: UInt32, _ message: UnsafeRawPointer?
) -> CInt {
    guard flags <= 0xffff, !PacketFlags(rawValue: UInt16(flags)).contains(.wakeup),
        bufferCount <= UInt32(PacketLimits.bufferCount), bufferCount == 0 || buffers != nil,
        messageByteCount == 0 || message != nil
    else { return AEEResult.badParameter.status }
    let references = (0..<Int(bufferCount)).compactMap { index in
        buffers.map { CBuffer.read($0 + CBuffer.byteCount * index) }
    }
    let bytes = UnsafeRawBufferPointer(
        start: messageByteCount == 0 ? nil : message, count: Int(messageByteCount))
    return perform(queue, patience, isReading: false) { queue throws(DSPQueueError) in
        try queue.write(bytes, buffers: references, flags: PacketFlags(rawValue: UInt16(flags)))
    }
}

/// `dspqueue_write_noblock`
@_cdecl("dspqueue_write_noblock")
public func dspqueueWriteNoblock(
    _ queue: UnsafeMutableRawPointer?, _ flags: UInt32, _ bufferCount: UInt32, _ buffers: UnsafeRawPointer?,
    _ messageByteCount: UInt32, _ message: UnsafeRawPointer?
) -> CInt {
    write(queue, .none, flags, bufferCount, buffers, messageByteCount, message)
}

/// `dspqueue_write`
@_cdecl("dspqueue_write")
public func dspqueueWrite(
    _ queue: UnsafeMutableRawPointer?, _ flags: UInt32, _ bufferCount: UInt32, _ buffers: UnsafeRawPointer?,
    _ messageByteCount: UInt32, _ message: UnsafeRawPointer?, _ timeout: UInt32
) -> CInt {
    write(queue, .upTo(timeout), flags, bufferCount, buffers, messageByteCount, message)
}

/// `dspqueue_write_early_wakeup_noblock`
@_cdecl("dspqueue_write_early_wakeup_noblock")
public func dspqueueWriteEarlyWakeupNoblock(
    _ queue: UnsafeMutableRawPointer?, _ delay: UInt32, _ flags: UInt32
) -> CInt {
    guard flags <= 0xffff else { return AEEResult.badParameter.status }
    return perform(queue, .none, isReading: false) { queue throws(DSPQueueError) in
        try queue.writeWakeup(delay: delay, flags: PacketFlags(rawValue: UInt16(flags)))
    }
}

/// `dspqueue_get_stat`
@_cdecl("dspqueue_get_stat")
public func dspqueueGetStat(
    _ queue: UnsafeMutableRawPointer?, _ statistic: UInt32, _ value: UnsafeMutablePointer<UInt64>?
) -> CInt {
    guard let queue = ProgramQueue.queue(queue), let value, let found = queue.statistic(statistic) else {
        return AEEResult.badParameter.status
    }
    value.pointee = found
    return 0
}
