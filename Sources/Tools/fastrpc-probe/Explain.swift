import ArgumentParser
import Diagnosis
import Foundation

/// `fastrpc-probe explain CODE`
struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what an error code means, where it usually comes from, and what to do.",
        discussion: """
            Knows the codes of libcdsprpc and HexagonRPC (AEE…), those of the DSP (0x80000400 and above) and the \
            kernel's errno, decimal, hexadecimal, negative, or by name. A number that is a code of several kinds is \
            explained for each.

            Exit status: 0, or 1 for a code that nobody knows.

            EXAMPLES
              fastrpc-probe explain 0x72
              fastrpc-probe explain -2147482618
              fastrpc-probe explain EACCES
            """)

    @Flag(help: "Print one JSON object.")
    var json = false

    @Argument(
        parsing: .allUnrecognized,
        help: ArgumentHelp("The code: 114, 0x72, -2147482618, AEE_ECONNREFUSED.", valueName: "code"))
    var code: [String]

    func validate() throws {
        guard code.count == 1 else { throw ValidationError("Give one code.") }
        guard Explanation.isCode(code[0]) else {
            throw ValidationError("'\(code[0])' is neither a number nor the name of a code.")
        }
    }

    func run() throws {
        let explanation = Explanation(of: code[0])
        print(json ? try explanation.json() : explanation.text)
        if explanation.isUnknown { throw ExitCode.failure }
    }
}
