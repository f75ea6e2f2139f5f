import CLinux
import Glibc
import SharedMemory

/// The seccomp filter: which system calls of a program come to the supervisor.
///
/// A program of classic BPF over `struct seccomp_data` (`include/uapi/linux/seccomp.h`): the call's number at
/// offset 0, the architecture at 4, six arguments of 64 bits from 16 on.
package enum SystemCallFilter {
    /// `struct sock_filter`
    package struct Instruction: BitwiseCopyable, Hashable, Sendable {
        package var code: UInt16
        package var jumpIfTrue: UInt8 = 0
        package var jumpIfFalse: UInt8 = 0
        package var operand: UInt32
    }

    /// `SECCOMP_RET_ALLOW`
    package static let allow: UInt32 = 0x7fff_0000
    /// `SECCOMP_RET_USER_NOTIF`
    package static let notify: UInt32 = 0x7fc0_0000

    /// The letters (bits 8 to 15) of requests that are looked at: FastRPC, dma-heap, dma-buf, DRM.
    package static let requestTypes: [Unicode.Scalar] = ["R", "H", "b", "d"]

    private enum Item {
        case load(UInt32)
        case mask(UInt32)
        case jumpIfEqual(UInt32, to: String)
        case result(UInt32)
        case label(String)
    }

    /// The program.
    package static let program = makeProgram(watchingAccess: false)
    /// The program for a superuser, whom the kernel would let use a node of mode 0: it has `access` and its kin
    /// looked at as well, which costs each such call a detour.
    package static let superuserProgram = makeProgram(watchingAccess: true)

    private static func makeProgram(watchingAccess: Bool) -> [Instruction] {
        var items: [Item] = [.load(4)]
        for table in SystemCallTable.all {
            items.append(.jumpIfEqual(table.architecture, to: "\(table.architecture)"))
        }
        items.append(.result(allow))
        for table in SystemCallTable.all {
            items += [.label("\(table.architecture)"), .load(0)]
            var numbers = [table.open, table.openat, table.openat2, table.fstatfs]
            if watchingAccess { numbers += [table.access, table.faccessat, table.faccessat2] }
            for number in numbers.compactMap({ $0 }) {
                items.append(.jumpIfEqual(number, to: "notify"))
            }
            items += [.jumpIfEqual(table.ioctl, to: "ioctl"), .result(allow)]
        }
        // The request is the second argument; the kernel takes its low 32 bits.
        items += [.label("ioctl"), .load(16 + 8), .mask(0xff00)]
        for type in requestTypes { items.append(.jumpIfEqual(type.value << 8, to: "notify")) }
        items += [.result(allow), .label("notify"), .result(notify)]
        return assemble(items)
    }

    private static func assemble(_ items: [Item]) -> [Instruction] {
        var labels: [String: Int] = [:]
        var count = 0
        for item in items {
            if case .label(let name) = item { labels[name] = count } else { count += 1 }
        }
        var program: [Instruction] = []
        for item in items {
            switch item {
            case .load(let offset): program.append(Instruction(code: 0x20, operand: offset))
            case .mask(let mask): program.append(Instruction(code: 0x54, operand: mask))
            case .jumpIfEqual(let value, let label):
                let distance = (labels[label] ?? 0) - program.count - 1
                program.append(Instruction(code: 0x15, jumpIfTrue: UInt8(distance), operand: value))
            case .result(let value): program.append(Instruction(code: 0x06, operand: value))
            case .label: break
            }
        }
        return program
    }

    /// Installs the filter for this thread and what it starts. Returns the listener's descriptor.
    static func install() throws(SystemError) -> CInt {
        struct Program {
            var count: UInt16
            var instructions: UnsafePointer<Instruction>
        }
        let (setModeFilter, newListener): (CUnsignedInt, CUnsignedInt) = (1, 1 << 3)
        let instructions = geteuid() == 0 ? superuserProgram : program
        let listener = instructions.withUnsafeBufferPointer { instructions -> CInt in
            guard let base = instructions.baseAddress else { return -1 }
            var program = Program(count: UInt16(instructions.count), instructions: base)
            return clinux_seccomp(setModeFilter, newListener, &program)
        }
        guard listener >= 0 else { throw SystemError(errno) }
        return listener
    }
}

/// The numbers of the watched system calls on one architecture.
package struct SystemCallTable: Sendable {
    /// `AUDIT_ARCH_…`
    package var architecture: UInt32
    /// Newer architectures have `openat` only.
    package var open: UInt32?
    package var openat: UInt32
    package var openat2: UInt32
    package var ioctl: UInt32
    package var fstatfs: UInt32
    package var access: UInt32?
    package var faccessat: UInt32
    package var faccessat2: UInt32

    package static let x86 = SystemCallTable(
        architecture: 0xc000_003e, open: 2, openat: 257, openat2: 437, ioctl: 16, fstatfs: 138,
        access: 21, faccessat: 269, faccessat2: 439)
    package static let arm64 = SystemCallTable(
        architecture: 0xc000_00b7, open: nil, openat: 56, openat2: 437, ioctl: 29, fstatfs: 44,
        access: nil, faccessat: 48, faccessat2: 439)
    package static let all = [x86, arm64]
}
