import Testing
import VirtualMachine

/// Executes classic BPF as `Documentation/networking/filter.rst` of the kernel describes it: an accumulator over
/// the bytes of `struct seccomp_data`.
private func execute(_ program: [SystemCallFilter.Instruction], _ data: [UInt8]) throws -> UInt32 {
    var accumulator: UInt32 = 0
    var next = 0
    while true {
        let instruction = try #require(next < program.count ? program[next] : nil)
        next += 1
        switch instruction.code {
        case 0x20:  // BPF_LD | BPF_W | BPF_ABS
            let offset = Int(instruction.operand)
            try #require(offset % 4 == 0 && offset + 4 <= data.count)
            accumulator = data[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        case 0x54:  // BPF_ALU | BPF_AND | BPF_K
            accumulator &= instruction.operand
        case 0x15:  // BPF_JMP | BPF_JEQ | BPF_K
            next += Int(
                accumulator == instruction.operand ? instruction.jumpIfTrue : instruction.jumpIfFalse)
        case 0x06:  // BPF_RET | BPF_K
            return instruction.operand
        default: Issue.record("instruction \(instruction.code)")
        }
    }
}

private func systemCall(_ architecture: UInt32, _ number: UInt32, _ arguments: [UInt64] = []) -> [UInt8] {
    func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian, Array.init)
    }
    let arguments = arguments + Array(repeating: 0, count: 6 - arguments.count)
    return bytes(number) + bytes(architecture) + bytes(UInt64(0)) + arguments.flatMap(bytes)
}

@Suite("Filter of the virtual machine")
struct SystemCallFilterTests {
    private let x86: UInt32 = 0xc000_003e
    private let arm64: UInt32 = 0xc000_00b7

    private func isNotified(
        _ architecture: UInt32, _ number: UInt32, _ arguments: [UInt64] = [],
        _ program: [SystemCallFilter.Instruction] = SystemCallFilter.program
    ) throws -> Bool {
        let result = try execute(program, systemCall(architecture, number, arguments))
        try #require([0x7fff_0000, 0x7fc0_0000].contains(result))
        return result == 0x7fc0_0000
    }

    @Test("Exactly open, openat, openat2, fstatfs and some ioctls are looked at")
    func numbers() throws {
        // Numbers from the kernel's syscall_64.tbl and asm-generic/unistd.h.
        let fastRPC: [UInt64] = [3, 0xc010_5203]
        for number in UInt32(0)...500 {
            #expect(
                try isNotified(x86, number, fastRPC) == [2, 16, 257, 437, 138].contains(number), "\(number)")
            #expect(
                try isNotified(arm64, number, fastRPC) == [56, 29, 437, 44].contains(number), "\(number)")
            // x32 has its own numbers, i386 and 32-bit ARM their own architectures.
            #expect(try !isNotified(x86, number | 0x4000_0000, fastRPC))
            #expect(try !isNotified(0x4000_0003, number, fastRPC))
            #expect(try !isNotified(0x4000_0028, number, fastRPC))
        }
    }

    @Test("Of ioctl, only the letters of the emulated drivers")
    func requests() throws {
        for letter in UInt64(0)...255 {
            let isOurs = [UInt64(0x52), 0x48, 0x62, 0x64].contains(letter)
            for others in [UInt64(0), 0xc010_0003, 0xffff_00ff, 0x7777_0000_8000_0001] {
                #expect(try isNotified(x86, 16, [1, others | letter << 8]) == isOurs)
                #expect(try isNotified(arm64, 29, [1, others | letter << 8]) == isOurs)
            }
        }
    }

    @Test("For a superuser, access, faccessat and faccessat2 as well")
    func superuser() throws {
        let program = SystemCallFilter.superuserProgram
        let fastRPC: [UInt64] = [3, 0xc010_5203]
        for number in UInt32(0)...500 {
            #expect(
                try isNotified(x86, number, fastRPC, program)
                    == [2, 16, 257, 437, 138, 21, 269, 439].contains(number), "\(number)")
            #expect(
                try isNotified(arm64, number, fastRPC, program)
                    == [56, 29, 437, 44, 48, 439].contains(number), "\(number)")
        }
    }

    @Test(
        "The program is one that the kernel takes",
        arguments: [SystemCallFilter.program, SystemCallFilter.superuserProgram])
    func limits(program: [SystemCallFilter.Instruction]) {
        #expect(program.count < 4096)
        #expect(MemoryLayout<SystemCallFilter.Instruction>.stride == 8)
        for (index, instruction) in program.enumerated() where instruction.code == 0x15 {
            #expect(index + 1 + Int(instruction.jumpIfTrue) < program.count)
        }
    }
}
