import FastRPCKernel
import Foundation
import Glibc
import SharedMemory
import TestSupport
import Testing
import VirtualKernel
import VirtualMachine

/// A caller whose memory is an array that begins at ``base``.
private struct MemoryCaller: Caller {
    static let base: UInt64 = 0x1_0000
    var memory: [UInt8]

    let process: pid_t = 10
    let thread: pid_t = 11
    let name = "test"
    let isWaiting = true

    func read(_ address: UInt64, into bytes: UnsafeMutableRawBufferPointer) throws(SystemError) {
        guard address >= Self.base, address - Self.base <= UInt64(memory.count),
            case let start = Int(address - Self.base), bytes.count <= memory.count - start
        else { throw SystemError(EFAULT) }
        bytes.copyBytes(from: memory[start..<start + bytes.count])
    }

    func write(_ bytes: UnsafeRawBufferPointer, to address: UInt64) throws(SystemError) {
        throw SystemError(EFAULT)
    }

    func duplicate(_ descriptor: CInt) throws(SystemError) -> CInt { throw SystemError(EBADF) }

    func give(_ descriptor: CInt, closeOnExec: Bool) throws(SystemError) -> CInt { throw SystemError(EBADF) }
}

@Suite("Trace of the virtual machine")
struct TraceTests {
    private func words(_ words: UInt32...) -> [UInt8] {
        words.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) }
    }

    private func lines(_ body: (Trace) throws -> Void) throws -> [String] {
        let folder = try TemporaryFolder()
        let path = folder.path("trace")
        let trace = try Trace(path: path)
        try body(trace)
        trace.finish()
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
        return text.split(separator: "\n").map(String.init)
    }

    @Test("An invocation, with its buffers")
    func invoke() throws {
        let base = UInt32(MemoryCaller.base)
        // struct fastrpc_invoke, then two struct fastrpc_invoke_args.
        let caller = MemoryCaller(
            memory: words(0x1234, 0x0201_0100, base + 16, 0)
                + words(0xaaaa, 0, 12, 0, UInt32.max, 0) + words(0xbbbb, 0, 64, 0, 7, 1))
        let found = try lines { trace in
            let entry = trace.began(
                caller, ioctl: FastRPCRequest.invoke.number, MemoryCaller.base, on: "/dev/fastrpc-cdsp")
            trace.ended(entry, value: Int(Int32(bitPattern: 0x8000_0406)), caller)
        }
        #expect(
            found == [
                #"{"sequence":1,"process":10,"thread":11,"call":"ioctl","node":"/dev/fastrpc-cdsp","#
                    + #""request":"FASTRPC_IOCTL_INVOKE","arguments":{"handle":"0x1234","#
                    + #""scalars":"0x2010100","buffers":[{"length":"0xc","fd":"-1"},"#
                    + #"{"length":"0x40","fd":"fd","attr":"0x1"}]},"result":"0x80000406"}"#
            ])
    }

    @Test("What cannot be read, what fails, what never ends, what is unknown")
    func others() throws {
        let caller = MemoryCaller(memory: words(1, 0x0003_0000, 0, 0))
        let found = try lines { trace in
            _ = trace.began(caller, open: "/dev/a\"\n", O_RDWR)
            let failed = trace.began(
                caller, ioctl: FastRPCRequest.invoke.number, MemoryCaller.base, on: "n")
            trace.ended(failed, error: EFAULT)
            let unknown = trace.began(caller, ioctl: IOControlRequest(rawValue: 0x5299), 0, on: "n")
            trace.ended(unknown, value: 0, caller)
            trace.closed("n")
        }
        let who = #""process":10,"thread":11"#
        let unreadable = #"{"error":"cannot be read"}"#
        #expect(
            found == [
                #"{"sequence":2,\#(who),"call":"ioctl","node":"n","request":"FASTRPC_IOCTL_INVOKE","#
                    + #""arguments":{"handle":"0x1","scalars":"0x30000","#
                    + #""buffers":[\#(unreadable),\#(unreadable),\#(unreadable)]},"#
                    + #""error":"Bad address","errno":14}"#,
                #"{"sequence":3,\#(who),"call":"ioctl","node":"n","request":"0x5299","result":"0"}"#,
                #"{"sequence":4,"call":"close","node":"n"}"#,
                #"{"sequence":1,\#(who),"call":"open","node":"/dev/a\"\u000a","flags":"0x2","#
                    + #""error":"unfinished"}"#,
            ])
    }
}
