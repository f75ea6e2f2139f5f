import Foundation
import Glibc
import RemoteCalls
import ReverseTunnel
import SharedMemory
import VirtualChannel

/// The kernel's end of the channel to a process on the virtual DSP, and a client behind it, for tests of the
/// process alone.
package final class TestKernel: @unchecked Sendable {
    package let channel: ChannelEndpoint
    private let condition = NSCondition()
    private var replies: [UInt64: (status: UInt32, value: UInt64)] = [:]
    private var nextCall: UInt64 = 1
    private var nextMemory: UInt32 = 1
    private var hasEnded = false

    /// What came of a method call.
    package struct Outcome: Hashable, Sendable {
        /// Nil when the process ended without an answer.
        package var status: UInt32?
        package var buffers: [[UInt8]] = []

        package func word(_ buffer: Int, _ offset: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(buffers[buffer][offset + $1]) << UInt32(8 * $1) }
        }
    }

    /// A buffer of the client's.
    package struct Buffer: @unchecked Sendable {
        package var id: UInt32
        package var descriptor: Int32
        package var bytes: UnsafeMutableRawBufferPointer
        package var dspAddress: UInt64 = 0
        fileprivate var file: CInt
    }

    package init(_ channel: ChannelEndpoint) {
        self.channel = channel
        Thread.detachNewThread { [self] in
            while let received = try? channel.receive() {
                guard case .reply(let call, let status, let value) = received.message else { continue }
                condition.withLock {
                    replies[call] = (status, value)
                    condition.broadcast()
                }
            }
            condition.withLock {
                hasEnded = true
                condition.broadcast()
            }
        }
    }

    /// Whether the process ends within `seconds`.
    package func ends(within seconds: Double = 10) -> Bool {
        condition.withLock {
            let deadline = Date(timeIntervalSinceNow: seconds)
            while !hasEnded, condition.wait(until: deadline) {}
            return hasEnded
        }
    }

    /// Sends a message that is answered, and waits; nil when the process ended first.
    package func call(_ message: (UInt64) -> ChannelMessage) -> (status: UInt32, value: UInt64)? {
        let number = condition.withLock {
            defer { nextCall += 1 }
            return nextCall
        }
        guard (try? channel.send(message(number))) != nil else { return nil }
        return condition.withLock {
            while replies[number] == nil, !hasEnded { condition.wait() }
            return replies.removeValue(forKey: number)
        }
    }

    private func newMemory() -> UInt32 {
        condition.withLock {
            defer { nextMemory += 1 }
            return nextMemory
        }
    }

    @discardableResult
    package func create(_ process: ProcessDescription = ProcessDescription()) -> UInt32? {
        call { .create(call: $0, process) }?.status
    }

    /// Gives the process a buffer that the client knows by `descriptor`.
    package func allocate(_ byteCount: Int, descriptor: Int32) throws -> Buffer {
        let file = try SystemCalls.memoryFile("buffer")
        try SystemCalls.truncate(file, byteCount)
        return try give(file, byteCount, descriptor: descriptor)
    }

    /// Gives the process memory that the client has already, under the client's own descriptor, and maps it.
    package func share(_ descriptor: CInt, _ byteCount: Int) throws -> Buffer {
        var buffer = try give(dup(descriptor), byteCount, descriptor: descriptor)
        guard let status = map(&buffer), status == 0 else { throw SystemError(EIO) }
        return buffer
    }

    private func give(_ file: CInt, _ byteCount: Int, descriptor: Int32) throws -> Buffer {
        let address = try SystemCalls.map(file, byteCount)
        let id = newMemory()
        try channel.send(
            .buffer(id: id, clientDescriptor: descriptor, byteCount: UInt64(byteCount)), with: file)
        return Buffer(
            id: id, descriptor: descriptor,
            bytes: UnsafeMutableRawBufferPointer(start: address, count: byteCount), file: file)
    }

    /// Maps a buffer on the DSP; the status.
    package func map(_ buffer: inout Buffer, flags: UInt32 = 2) -> UInt32? {
        let mapping = Mapping(
            memory: buffer.id, flags: flags, hostAddress: 0, offset: 0,
            byteCount: UInt64(buffer.bytes.count))
        let answer = call { .map(call: $0, mapping) }
        buffer.dspAddress = answer?.value ?? 0
        return answer?.status
    }

    /// Makes a buffer of `byteCount` bytes that the DSP sees.
    package func mapped(_ byteCount: Int, descriptor: Int32) throws -> Buffer {
        var buffer = try allocate(byteCount, descriptor: descriptor)
        guard let status = map(&buffer), status == 0 else { throw SystemError(EIO) }
        return buffer
    }

    package func unmap(_ buffer: Buffer) -> UInt32? {
        call { .unmap(call: $0, dspAddress: buffer.dspAddress) }?.status
    }

    /// Ends a buffer.
    package func free(_ buffer: Buffer) {
        try? channel.send(.drop(memory: buffer.id))
        if let address = buffer.bytes.baseAddress { SystemCalls.unmap(address, buffer.bytes.count) }
        SystemCalls.close(buffer.file)
    }

    /// Calls a method; in and out buffers lie in one memory, as the kernel packs them.
    package func invoke(
        _ handle: UInt32, _ scalars: UInt32, _ inBuffers: [[UInt8]] = [], _ outBuffers: [Int] = []
    ) -> Outcome {
        var arguments: [Invocation.Argument] = []
        var offset: UInt64 = 0
        let sizes = inBuffers.map(\.count) + outBuffers
        for size in sizes {
            arguments.append(.init(offset: offset, byteCount: UInt64(size)))
            offset += UInt64(size + 127) / 128 * 128
        }
        let byteCount = max(4096, Int(offset))
        guard let file = try? SystemCalls.memoryFile("arguments"),
            (try? SystemCalls.truncate(file, byteCount)) != nil,
            let address = try? SystemCalls.map(file, byteCount)
        else { return Outcome() }
        defer {
            SystemCalls.unmap(address, byteCount)
            SystemCalls.close(file)
        }
        let memory = newMemory()
        for index in arguments.indices {
            arguments[index].memory = memory
            if index < inBuffers.count {
                (address + Int(arguments[index].offset)).copyMemory(
                    from: inBuffers[index], byteCount: inBuffers[index].count)
            }
        }
        guard (try? channel.send(.memory(id: memory, byteCount: UInt64(byteCount)), with: file)) != nil
        else { return Outcome() }
        defer { try? channel.send(.drop(memory: memory)) }
        let invocation = Invocation(handle: handle, scalars: scalars, arguments: arguments)
        guard let answer = call({ .invoke(call: $0, invocation) }) else { return Outcome() }
        let buffers = arguments[inBuffers.count...].map { argument in
            Array(
                UnsafeRawBufferPointer(
                    start: address + Int(argument.offset), count: Int(argument.byteCount)))
        }
        return Outcome(status: answer.status, buffers: buffers)
    }

    package static func words(_ values: [UInt32]) -> [UInt8] {
        values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) } }
    }

    package static func text(_ string: String) -> [UInt8] { Array(string.utf8) + [0] }

    /// Serves reverse calls on a thread of its own until the process ends.
    ///
    /// - Parameter capacity: bytes of the request buffer; what does not fit is fetched by `get_in_bufs2`.
    package func listen(_ server: ReverseServer, capacity: Int = 4096) {
        _ = invoke(7, 0x0500_0000)
        Thread.detachNewThread { [self] in
            var context: UInt32 = 0
            var result: UInt32 = .max
            var reply: [UInt8] = []
            while true {
                let outcome = invoke(
                    7, 0x0602_0200,
                    [Self.words([context, result, UInt32(reply.count), UInt32(capacity)]), reply],
                    [16, capacity])
                guard outcome.status == 0 else { return }
                context = outcome.word(0, 0)
                let size = Int(outcome.word(0, 12))
                var request = Array(outcome.buffers[1].prefix(size))
                if size > capacity {
                    let rest = invoke(
                        7, 0x0701_0200, [Self.words([context, 0, UInt32(size)])], [4, size])
                    guard rest.status == 0 else { return }
                    request = rest.buffers[1]
                }
                let answer = request.withUnsafeBytes {
                    server.handle(
                        outcome.word(0, 4), scalars: Scalars(rawValue: outcome.word(0, 8)), request: $0)
                }
                (result, reply) = (answer.result.rawValue, answer.reply)
            }
        }
    }

    /// Opens a module: the call's status, or what the loader says; the handle; its words.
    package func open(_ uri: String) -> (status: UInt32?, handle: UInt32, words: String) {
        let text = Self.text(uri)
        let outcome = invoke(
            8, 0x0202_0200, [Self.words([UInt32(text.count), 255]), text], [8, 255])
        guard outcome.status == 0 else { return (outcome.status, 0, "") }
        let words = String(decoding: outcome.buffers[1].prefix { $0 != 0 }, as: UTF8.self)
        return (outcome.word(0, 4), outcome.word(0, 0), words)
    }

    package func close(_ handle: UInt32) -> UInt32? {
        let outcome = invoke(8, 0x0301_0200, [Self.words([handle, 64])], [4, 64])
        return outcome.status == 0 ? outcome.word(0, 0) : outcome.status
    }

    /// `adsp_current_process1.exit`
    package func exit() -> UInt32? { invoke(4, 0x0200_0000).status }
}
