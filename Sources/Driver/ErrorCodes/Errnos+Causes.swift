import Glibc

extension Errnos {
    private typealias Cause = ErrorCode.Cause

    private static let noNode: [ErrorCode.Cause] = [
        Cause(
            .openNode, "there is no such device node",
            "the driver has made no such node: load the module fastrpc, see that the DSP runs "
                + "(/sys/class/remoteproc), and in a container pass the device in")
    ]

    private static let noPermission: [ErrorCode.Cause] = [
        Cause(
            .openNode, "this user is not in the group that owns the device node",
            "this user may not open the node: join the group that owns it (see `ls -l {node}`) and log in "
                + "again, or add a udev rule")
    ]

    private static let channelGone: [ErrorCode.Cause] = [
        Cause(
            "the DSP crashed, was stopped, or restarted",
            "the DSP has stopped or restarted, and this node stays dead: close it and open it again once it "
                + "is back")
    ]

    private static let noSuchBuffer = "the descriptor must be an open dma-buf"
    private static let tooOld = "this firmware is too old to be asked"
    private static let shellInFile =
        "the shell must lie in a dma-buf (dma-heap or ALLOC_DMA_BUFF), not in an opened file"

    static let causes: [Int32: [ErrorCode.Cause]] = [
        ENOENT: noNode, ENODEV: noNode, ENXIO: noNode,
        EACCES: noPermission,
        EPERM: noPermission + [
            Cause(
                .call, "handle 1 is the kernel's, or the DSP answered -1",
                "handle 1 is the kernel's own; with any other handle this is a DSP status of -1"),
            Cause(.information, "old firmware answers -1", tooOld),
        ],
        EBUSY: [
            Cause(
                .openNode, "every session (context bank) of the DSP is in use",
                "every session of this DSP is in use, and each open node takes one: end other programs that use "
                    + "the DSP, or close nodes that this one has open")
        ],
        ECONNREFUSED: [
            Cause(
                .createProcess,
                "a signed process was asked for on the plain node, which takes unsigned ones only",
                "this node refuses signed processes: ask for unsigned modules, or get access to the node ending in "
                    + "-secure")
        ],
        EBADF: [
            Cause(.createProcess, "the shell's descriptor is not open", shellInFile),
            Cause(.map, "the descriptor is not open", noSuchBuffer),
        ],
        EINVAL: [
            Cause(
                .call, "an argument's descriptor is no dma-buf, or the dma-buf is too short",
                "the descriptor of an argument must be a dma-buf at least as long as the argument, or -1"),
            Cause(.createProcess, "the shell is passed as a file, or has more than 2 MiB", shellInFile),
            Cause(
                .createStaticProcess, "the name is too long", "the kernel accepts names of at most 128 bytes"),
            Cause(.addPages, "an unknown flag", "this kernel does not know this use of pages"),
            Cause(
                .removePages, "address and size do not belong together",
                "no pages were added at this address with this size"),
            Cause(.map, "the descriptor is no dma-buf", noSuchBuffer),
            Cause(
                .unmap, "address and descriptor do not belong together",
                "no memory is mapped at this address by this descriptor"),
            Cause(
                .setOption, "an unknown option", "this kernel does not know the option or the value"),
            Cause(
                "the node has no session any more, or an argument is wrong",
                "the node has no session on the DSP any more, or an argument is wrong"),
        ],
        EINTR: [
            Cause(
                .call, "a signal arrived while the DSP worked",
                "a signal ended the wait, not the call: the DSP may still be running it, and its result is lost; "
                    + "block signals in threads that call the DSP")
        ],
        EOPNOTSUPP: [
            Cause(
                .setOption, "the chip cannot poll", "the kernel does not support the option on this chip"),
            Cause(.information, "old firmware does not know the query", tooOld),
        ],
        ECHRNG: [
            Cause(
                .information, "older kernels look at the domain's number",
                "kernels that look at the domain accept 0 and 2 to 3 (newer ones 4) only")
        ],
        EOVERFLOW: [
            Cause(
                .information, "no such attribute", "the kernel accepts attributes below 256 only")
        ],
        EPIPE: channelGone, ECONNRESET: channelGone,
        ETIMEDOUT: [
            Cause(
                "the DSP hangs",
                "the DSP did not answer the kernel within 10 s: close the node and open it again; if that does not "
                    + "help, restart the DSP")
        ],
        ENOSPC: [
            Cause(
                "too many calls at once",
                "256 calls are under way on this DSP, the most that the driver allows")
        ],
        EFAULT: [Cause("a bad pointer", "an address is not in this process's memory")],
        ENOMEM: [
            Cause(
                .createProcess, "the kernel finds no contiguous memory",
                "the kernel has no contiguous memory for the process: end other programs that use the DSP, or boot "
                    + "with a larger cma= area"),
            Cause("memory has run out", "the memory has run out: free buffers or use smaller ones"),
        ],
        ENOTTY: [
            Cause(
                "the file is no FastRPC node, or the kernel is older than the request",
                "either this is no FastRPC node, or the kernel is too old for this request")
        ],
    ]
}
