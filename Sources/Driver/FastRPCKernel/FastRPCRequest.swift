import SharedMemory

/// One request of the driver: its number and what is known of its age.
///
/// Source: `include/uapi/misc/fastrpc.h` of the kernel. The numbers are computed here, because the header of a
/// distribution may be older than the kernel that runs.
package struct FastRPCRequest: Hashable, Sendable {
    /// The C name.
    package var name: String
    /// The number that `ioctl` takes.
    package var number: IOControlRequest
    /// The first kernel that has it, as far as is known.
    package var firstKernel: String

    private init<Argument: KernelArgument>(
        _ name: String, _ index: UInt8, _ argument: Argument.Type, since firstKernel: String
    ) {
        self.name = "FASTRPC_IOCTL_\(name)"
        number = IOControlRequest(.readWrite, "R", index, byteCount: MemoryLayout<Argument>.size)
        self.firstKernel = firstKernel
    }

    private init(_ name: String, _ index: UInt8, since firstKernel: String) {
        self.name = "FASTRPC_IOCTL_\(name)"
        number = IOControlRequest(.none, "R", index, byteCount: 0)
        self.firstKernel = firstKernel
    }

    /// `FASTRPC_IOCTL_ALLOC_DMA_BUFF`
    package static let allocateBuffer = FastRPCRequest(
        "ALLOC_DMA_BUFF", 1, AllocateArgument.self, since: "5.1")
    /// `FASTRPC_IOCTL_FREE_DMA_BUFF`: a number only. The driver answers it with `ENOTTY`; a buffer is freed
    /// by closing its descriptor.
    package static let freeBuffer = FastRPCRequest("FREE_DMA_BUFF", 2, UInt32.self, since: "none")
    /// `FASTRPC_IOCTL_INVOKE`
    package static let invoke = FastRPCRequest("INVOKE", 3, InvokeCall.self, since: "5.1")
    /// `FASTRPC_IOCTL_INIT_ATTACH`
    package static let attach = FastRPCRequest("INIT_ATTACH", 4, since: "5.1")
    /// `FASTRPC_IOCTL_INIT_CREATE`
    package static let createProcess = FastRPCRequest(
        "INIT_CREATE", 5, CreateProcessArgument.self, since: "5.1")
    /// `FASTRPC_IOCTL_MMAP`
    package static let addPages = FastRPCRequest("MMAP", 6, AddPagesArgument.self, since: "5.5")
    /// `FASTRPC_IOCTL_MUNMAP`
    package static let removePages = FastRPCRequest("MUNMAP", 7, RemovePagesArgument.self, since: "5.5")
    /// `FASTRPC_IOCTL_INIT_ATTACH_SNS`
    package static let attachToSensors = FastRPCRequest("INIT_ATTACH_SNS", 8, since: "about 5.10")
    /// `FASTRPC_IOCTL_INIT_CREATE_STATIC`
    package static let createStaticProcess = FastRPCRequest(
        "INIT_CREATE_STATIC", 9, CreateStaticProcessArgument.self, since: "about 6.2")
    /// `FASTRPC_IOCTL_MEM_MAP`
    package static let mapMemory = FastRPCRequest("MEM_MAP", 10, MapMemoryArgument.self, since: "about 5.18")
    /// `FASTRPC_IOCTL_MEM_UNMAP`
    package static let unmapMemory = FastRPCRequest(
        "MEM_UNMAP", 11, UnmapMemoryArgument.self, since: "about 5.18")
    /// `FASTRPC_IOCTL_SET_OPTION`
    package static let setOption = FastRPCRequest(
        "SET_OPTION", 12, SetOptionArgument.self, since: "about 7.3")
    /// `FASTRPC_IOCTL_GET_DSP_INFO`
    package static let information = FastRPCRequest(
        "GET_DSP_INFO", 13, CapabilityArgument.self, since: "about 5.18")

    /// All of them, in order of their indices.
    package static let all = [
        allocateBuffer, freeBuffer, invoke, attach, createProcess, addPages, removePages, attachToSensors,
        createStaticProcess, mapMemory, unmapMemory, setOption, information,
    ]
}
