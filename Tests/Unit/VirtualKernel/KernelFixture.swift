import FastRPCKernel
import Glibc
import RemoteCalls
import SharedMemory
import VirtualKernel

/// A kernel, a DSP and a client.
struct KernelFixture {
    let dsp = ChannelDSP()
    let caller = OwnCaller()
    let kernel: VirtualKernel

    init(
        _ scenario: Scenario = Scenario(.healthy),
        configure: (inout VirtualKernel.Configuration) -> Void = { _ in }
    ) {
        var configuration = VirtualKernel.Configuration()
        configuration.scenario = scenario
        configuration.restartDelay = .milliseconds(50)
        configure(&configuration)
        kernel = VirtualKernel(configuration, launcher: dsp)
    }

    func open(_ path: String = "/dev/fastrpc-cdsp") throws -> any VirtualFile {
        guard let node = kernel.nodes.first(where: { $0.path == path }) else { throw SystemError(ENOENT) }
        return try node.open(O_RDONLY, caller)
    }

    /// A dma-buf from the heap, mapped.
    func allocate(_ byteCount: Int) throws -> MappedBuffer {
        let heap = try open("/dev/dma_heap/system")
        var request = DMAHeap.Allocation(byteCount: UInt64(byteCount))
        try caller.ioctl(heap, DMAHeap.allocate, &request)
        let descriptor = CInt(bitPattern: request.descriptor)
        let size = try SystemCalls.byteCount(descriptor)
        return MappedBuffer(
            descriptor: descriptor,
            bytes: .init(start: try SystemCalls.map(descriptor, size), count: size))
    }

    /// A shell in a dma-buf, as a program finds it in the tree.
    func shell(_ path: String = "/usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3") throws -> MappedBuffer {
        guard let file = kernel.tree.files[path] else { throw SystemError(ENOENT) }
        let buffer = try allocate(file.count)
        buffer.bytes.copyBytes(from: file)
        return buffer
    }

    /// Asks for a process. Returns what `ioctl` does.
    @discardableResult
    func create(_ file: any VirtualFile, attributes: UInt32 = 8, shell: MappedBuffer? = nil) throws -> Int {
        let shell = try shell ?? self.shell()
        defer { shell.unmap() }
        var request = argument(CreateProcessArgument.self) {
            $0.fileByteCount = UInt32(shell.bytes.count)
            $0.fileDescriptor = shell.descriptor
            $0.attributes = attributes
            $0.signatureByteCount = 0
            $0.file = shell.address
        }
        return try caller.ioctl(file, FastRPCRequest.createProcess.number, &request)
    }

    /// A node with a process.
    func session(_ path: String = "/dev/fastrpc-cdsp") throws -> any VirtualFile {
        let file = try open(path)
        let result = try create(file)
        guard result == 0 else { throw DSPStatus(value: result) }
        return file
    }

    /// Calls a method. Returns what `ioctl` does.
    @discardableResult
    func invoke(
        _ file: any VirtualFile, _ handle: UInt32, _ scalars: Scalars = Scalars(method: 2),
        _ arguments: [InvokeArgument] = [], caller: OwnCaller? = nil
    ) throws -> Int {
        var arguments = arguments
        return try arguments.withUnsafeMutableBytes { bytes in
            var call = argument(InvokeCall.self) {
                $0.handle = handle
                $0.scalars = scalars.rawValue
                $0.arguments = UInt64(UInt(bitPattern: bytes.baseAddress))
            }
            return try (caller ?? self.caller).ioctl(file, FastRPCRequest.invoke.number, &call)
        }
    }

    /// Sends bytes to the handle that echoes, in copied arguments. Returns the result and what came back.
    func echo(
        _ file: any VirtualFile, _ bytes: [UInt8], handle: UInt32 = ChannelDSP.Handle.echo,
        caller: OwnCaller? = nil
    ) throws -> (Int, [UInt8]) {
        var answer = [UInt8](repeating: 0x55, count: bytes.count)
        let result = try bytes.withUnsafeBytes { input in
            try answer.withUnsafeMutableBytes { output in
                try invoke(
                    file, handle, Scalars(method: 2, inBuffers: 1, outBuffers: 1),
                    [
                        InvokeArgument(copying: input),
                        InvokeArgument(copying: UnsafeRawBufferPointer(output)),
                    ],
                    caller: caller)
            }
        }
        return (result, answer)
    }
}

/// A DSP's status where a test did not expect one.
struct DSPStatus: Error {
    var value: Int
}

/// A dma-buf and where the test sees it.
struct MappedBuffer: @unchecked Sendable {
    var descriptor: CInt
    var bytes: UnsafeMutableRawBufferPointer

    var address: UInt64 { UInt64(UInt(bitPattern: bytes.baseAddress)) }

    func unmap() { munmap(bytes.baseAddress, bytes.count) }
}

/// A DSP's status as `ioctl` returns it.
func returned(_ status: UInt32) -> Int { Int(Int32(bitPattern: status)) }
