import RemoteCalls
import ReverseTunnel

/// Packs requests as the DSP does and unpacks replies, by code of its own.
struct ScriptedDSP {
    let server: ReverseServer

    struct Reply {
        var result: AEEResult
        var bytes: [UInt8]
        /// The out buffers, where the call succeeded.
        var buffers: [[UInt8]] = []

        func word(_ buffer: Int, _ offset: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(buffers[buffer][offset + $1]) << UInt32(8 * $1) }
        }
    }

    /// Little-endian words.
    static func words(_ values: [UInt32]) -> [UInt8] {
        values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) } }
    }

    static func text(_ string: String) -> [UInt8] { Array(string.utf8) + [0] }

    static func pack(_ inBuffers: [[UInt8]], _ capacities: [Int]) -> [UInt8] {
        var request: [UInt8] = []
        for buffer in inBuffers {
            request += words([UInt32(buffer.count)])
            if buffer.isEmpty { continue }
            while request.count % 8 != 0 { request.append(0xaa) }
            request += buffer
        }
        return request + words(capacities.map { UInt32($0) })
    }

    func send(_ handle: UInt32, _ scalars: UInt32, _ request: [UInt8]) -> Reply {
        let (result, reply) = request.withUnsafeBytes {
            server.handle(handle, scalars: Scalars(rawValue: scalars), request: $0)
        }
        return Reply(result: result, bytes: reply)
    }

    /// Calls; a reply whose lengths are not the capacities fails with an impossible status.
    func call(
        _ handle: UInt32, _ scalars: UInt32, _ inBuffers: [[UInt8]], _ capacities: [Int] = []
    ) -> Reply {
        var reply = send(handle, scalars, Self.pack(inBuffers, capacities))
        guard reply.result == .success else { return reply }
        var offset = 0
        for capacity in capacities {
            let length = reply.bytes[offset..<min(offset + 4, reply.bytes.count)]
            guard Array(length) == Self.words([UInt32(capacity)]) else {
                return Reply(result: AEEResult(rawValue: .max), bytes: reply.bytes)
            }
            offset += 4
            if capacity == 0 { reply.buffers.append([]) }
            guard capacity > 0 else { continue }
            while offset % 8 != 0 { offset += 1 }
            reply.buffers.append(Array(reply.bytes[offset..<offset + capacity]))
            offset += capacity
        }
        if offset != reply.bytes.count { reply.result = AEEResult(rawValue: .max) }
        return reply
    }

    /// `apps_remotectl.open`: the handle and nErr.
    func open(_ name: String) -> (handle: UInt32, error: UInt32) {
        let name = Self.text(name)
        let reply = call(0, 0x0002_0200, [Self.words([UInt32(name.count), 256]), name], [8, 256])
        guard reply.result == .success else { return (0, reply.result.rawValue) }
        return (reply.word(0, 0), reply.word(0, 4))
    }

    /// Opens a file by the library path.
    func openFile(_ std: UInt32, _ name: [UInt8], mode: String = "r") -> Reply {
        let strings = [
            Self.text("ADSP_LIBRARY_PATH"), Self.text(";"), name, Self.text(mode),
        ]
        return call(
            std, 0x1305_0100, [Self.words(strings.map { UInt32($0.count) })] + strings, [4])
    }

    func openFile(_ std: UInt32, _ name: String, mode: String = "r") -> Reply {
        openFile(std, Self.text(name), mode: mode)
    }

    /// A call whose in buffers are one name and its length, the index before it from 31 on.
    func name(_ std: UInt32, _ scalars: UInt32, _ name: String, index: UInt32? = nil, _ out: [Int]) -> Reply {
        let name = Self.text(name)
        return call(std, scalars, [Self.words((index.map { [$0] } ?? []) + [UInt32(name.count)]), name], out)
    }
}
