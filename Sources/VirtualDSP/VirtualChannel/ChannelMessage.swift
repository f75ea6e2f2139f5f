/// What the emulated kernel and a process on the virtual DSP say to each other, one packet each.
///
/// The kernel numbers its calls; every one with a number is answered by one ``reply(call:status:value:)``,
/// in any order.
package enum ChannelMessage: Hashable, Sendable {
    // Kernel to DSP.

    /// Begins the process; the first message. Answered.
    case create(call: UInt64, ProcessDescription)
    /// Comes with a descriptor: memory for the arguments of calls, mapped until ``drop(memory:)``.
    case memory(id: UInt32, byteCount: UInt64)
    /// Comes with a descriptor: a dma-buf of the client, known there by `clientDescriptor`. Mapped until
    /// ``drop(memory:)``; visible to programs on the DSP only where a ``map(call:_:)`` follows.
    case buffer(id: UInt32, clientDescriptor: Int32, byteCount: UInt64)
    /// Ends ``memory(id:byteCount:)`` or ``buffer(id:clientDescriptor:byteCount:)``.
    case drop(memory: UInt32)
    /// A method call. Answered; the value is 0.
    case invoke(call: UInt64, Invocation)
    /// Makes a buffer visible to programs (`MEM_MAP`). Answered; the value is its address on the DSP.
    case map(call: UInt64, Mapping)
    /// Takes back a mapping by its address (`MEM_UNMAP`). Answered.
    case unmap(call: UInt64, dspAddress: UInt64)
    /// Gives the process pages (`MMAP`). Answered; the value is their address on the DSP.
    case addPages(call: UInt64, byteCount: UInt64, flags: UInt32)
    /// Takes pages back (`MUNMAP`). Answered.
    case removePages(call: UInt64, dspAddress: UInt64, byteCount: UInt64)

    // DSP to kernel.

    /// The answer to a call: a DSP status, 0 for success.
    case reply(call: UInt64, status: UInt32, value: UInt64)
}

/// What a new process on the virtual DSP is told about itself.
package struct ProcessDescription: Hashable, Sendable {
    /// The client's process name, as the kernel sends it.
    package var name: String
    /// `enum fastrpc_proc_attr`
    package var attributes: UInt32
    /// The DSP's name, for example `cdsp`.
    package var domain: String
    /// The architecture's version in hexadecimal digits, `0x68` for v68.
    package var architecture: UInt32
    /// How many bytes may be mapped and allocated.
    package var memoryLimit: UInt64
    /// The scenario's name, see ``Scenario`` of the emulated kernel; empty for a healthy DSP.
    package var scenario: String
    /// The scenario's number, such as the call at which the process dies.
    package var parameter: Int64

    package init(
        name: String = "", attributes: UInt32 = 8, domain: String = "cdsp", architecture: UInt32 = 0x68,
        memoryLimit: UInt64 = 3584 << 20, scenario: String = "", parameter: Int64 = 0
    ) {
        self.name = name
        self.attributes = attributes
        self.domain = domain
        self.architecture = architecture
        self.memoryLimit = memoryLimit
        self.scenario = scenario
        self.parameter = parameter
    }
}

/// A method call as the DSP gets it.
package struct Invocation: Hashable, Sendable {
    /// The remote handle.
    package var handle: UInt32
    /// Method and numbers of arguments.
    package var scalars: UInt32
    /// The client's thread.
    package var thread: Int32
    /// In buffers, out buffers, in handles, out handles.
    package var arguments: [Argument]

    /// A buffer: a range of a memory that the DSP was given. Or a handle (`isHandle`): a descriptor of the
    /// client's with offset and length.
    package struct Argument: Hashable, Sendable {
        package var memory: UInt32
        package var offset: UInt64
        package var byteCount: UInt64
        package var clientDescriptor: Int32
        package var isHandle: Bool

        package init(
            memory: UInt32 = 0, offset: UInt64, byteCount: UInt64, clientDescriptor: Int32 = -1,
            isHandle: Bool = false
        ) {
            self.memory = memory
            self.offset = offset
            self.byteCount = byteCount
            self.clientDescriptor = clientDescriptor
            self.isHandle = isHandle
        }
    }

    package init(handle: UInt32, scalars: UInt32, thread: Int32 = 0, arguments: [Argument] = []) {
        self.handle = handle
        self.scalars = scalars
        self.thread = thread
        self.arguments = arguments
    }
}

/// A mapping that the client asked for.
package struct Mapping: Hashable, Sendable {
    /// The buffer's number.
    package var memory: UInt32
    /// `enum fastrpc_map_flags`
    package var flags: UInt32
    /// `vaddrin`, as the client gave it.
    package var hostAddress: UInt64
    /// `offset`, as the client gave it.
    package var offset: Int32
    /// `length`, as the client gave it.
    package var byteCount: UInt64

    package init(memory: UInt32, flags: UInt32, hostAddress: UInt64, offset: Int32, byteCount: UInt64) {
        self.memory = memory
        self.flags = flags
        self.hostAddress = hostAddress
        self.offset = offset
        self.byteCount = byteCount
    }
}
