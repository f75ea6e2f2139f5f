import Glibc
import SharedMemory

extension FastRPCKernelError {
    /// What to do where a node cannot be opened.
    static func openAdvice(_ errno: CInt, path: String) -> String {
        switch errno {
        case ENOENT, ENODEV, ENXIO:
            "the driver has made no such node: load the module fastrpc, see that the DSP runs "
                + "(/sys/class/remoteproc), and in a container pass the device in"
        case EACCES, EPERM:
            "this user may not open the node: join the group that owns it (see `ls -l \(path)`) and log in "
                + "again, or add a udev rule"
        case EBUSY:
            "every session of this DSP is in use, and each open node takes one: end other programs that use "
                + "the DSP, or close nodes that this one has open"
        default: ""
        }
    }

    /// What to do where the driver refuses a request. The meanings are those of `drivers/misc/fastrpc.c`.
    static func advice(_ request: FastRPCRequest, _ cause: Cause) -> String {
        switch cause {
        case .argument: ""
        case .dsp(let status): advice(request, dsp: status)
        case .errno(let code): specificAdvice(request, code) ?? generalAdvice(request, code)
        }
    }

    private static func advice(_ request: FastRPCRequest, dsp status: UInt32) -> String {
        switch (request, status) {
        case (.createProcess, 0x8000_0416), (.createProcess, 0x8000_054f), (.createProcess, 0x8000_0600):
            "the shell is missing or belongs to another firmware: take both from the same release"
        case (_, 0x8000_040d):
            "the process on the DSP is dead or ending: close the node and open it again"
        default: ""
        }
    }

    private static func specificAdvice(_ request: FastRPCRequest, _ errno: CInt) -> String? {
        switch (request, errno) {
        case (.invoke, EINTR):
            "a signal ended the wait, not the call: the DSP may still be running it, and its result is lost; "
                + "block signals in threads that call the DSP"
        case (.invoke, EPERM):
            "handle 1 is the kernel's own; with any other handle this is a DSP status of -1"
        case (.invoke, EINVAL):
            "the descriptor of an argument must be a dma-buf at least as long as the argument, or -1"
        case (.createProcess, ECONNREFUSED):
            "this node accepts unsigned processes only, if any: ask for one, or open the -secure node"
        case (.createProcess, EBADF), (.createProcess, EINVAL):
            "the shell must lie in a dma-buf (dma-heap or ALLOC_DMA_BUFF), not in an opened file"
        case (.createStaticProcess, EINVAL):
            "the kernel accepts names of at most 128 bytes"
        case (.addPages, EINVAL):
            "this kernel does not know this use of pages"
        case (.removePages, EINVAL):
            "no pages were added at this address with this size"
        case (.mapMemory, EBADF), (.mapMemory, EINVAL):
            "the descriptor must be an open dma-buf"
        case (.unmapMemory, EINVAL):
            "no memory is mapped at this address by this descriptor"
        case (.setOption, EINVAL):
            "this kernel does not know the option or the value"
        case (.setOption, EOPNOTSUPP):
            "the kernel does not support the option on this chip"
        case (.information, EOPNOTSUPP), (.information, EPERM):
            "this firmware is too old to be asked"
        case (.information, ECHRNG):
            "kernels that look at the domain accept 0 and 2 to 3 (newer ones 4) only"
        case (.information, EOVERFLOW):
            "the kernel accepts attributes below 256 only"
        default: nil
        }
    }

    private static func generalAdvice(_ request: FastRPCRequest, _ errno: CInt) -> String {
        switch errno {
        case EPIPE, ECONNRESET:
            "the DSP has stopped or restarted, and this node stays dead: close it and open it again once it "
                + "is back"
        case ENOTTY:
            "either this is no FastRPC node, or the kernel is too old for \(request.name), which came with "
                + "Linux \(request.firstKernel)"
        case ETIMEDOUT:
            "the DSP did not answer the kernel within 10 s: close the node and open it again; if that does not "
                + "help, restart the DSP"
        case ENOSPC:
            "256 calls are under way on this DSP, the most that the driver allows"
        case EFAULT:
            "an address is not in this process's memory"
        case ENOMEM:
            "the memory has run out: free buffers or use smaller ones"
        case EINVAL:
            "the node has no session on the DSP any more, or an argument is wrong"
        default: ""
        }
    }
}
