import Diagnosis
import ErrorCodes
import Glibc
import HexagonRPC
import Testing

@Suite("Explanations of codes")
struct ErrorCodeTests {
    /// Numbers as they are seen in bug reports, and the names that they have there.
    @Test(arguments: [
        ("0x72", ["AEE_ECONNREFUSED", "EALREADY"]), ("114", ["AEE_ECONNREFUSED", "EALREADY"]),
        ("104", ["AEE_ECONNRESET", "AEE_ENORPCMEMORY", "ECONNRESET"]),
        ("0x80000406", ["AEE_EUNABLETOLOAD"]), ("-2147482618", ["AEE_EUNABLETOLOAD"]),
        ("2147484678", ["AEE_EUNABLETOLOAD"]), ("0xffffffff80000406", ["AEE_EUNABLETOLOAD"]),
        ("0x80000442", ["AEE_ENOSUCHSYMBOL"]), ("-2147482558", ["AEE_ENOSUCHSYMBOL"]),
        ("-2147482604", ["AEE_EUNSUPPORTED"]), ("-2147482611", ["AEE_EBADSTATE"]),
        ("-2147482289", ["AEE_EQURTBADASID"]), ("-2147482112", ["AEE_ERPC"]),
        ("-13", ["EACCES"]), ("13", ["AEE_EBADSTATE", "EACCES"]), ("0xfffffff3", ["EACCES"]),
        ("-1", ["-1", "EPERM"]), ("0xffffffff", ["-1", "EPERM"]), ("0xfffffffb", ["-5", "EIO"]),
        ("0", ["AEE_SUCCESS"]), ("39", ["AEE_ENOSUCH", "ENOTEMPTY"]), ("46", ["AEE_EINTERRUPTED", "EL3HLT"]),
        ("516", ["AEE_EWOULDBLOCK"]), ("0x194", ["AEE_ESTUBSKELVERMISMATCH"]), ("0x200", ["AEE_ERPC"]),
        ("0X8A", ["AEE_ENOSESSION"]), ("EACCES", ["EACCES"]), ("AEE_EBADPARM", ["AEE_EBADPARM"]),
        ("ebadparm", ["AEE_EBADPARM"]), ("ECONNRESET", ["AEE_ECONNRESET", "ECONNRESET"]),
    ])
    func names(text: String, names: [String]) {
        let explanation = Explanation(of: text)
        #expect(!explanation.isUnknown)
        let found = explanation.text.split(separator: "\n").filter { !$0.hasPrefix(" ") }
            .map { String($0.prefix { $0 != "," }) }
        #expect(found == names)
    }

    @Test(arguments: [
        "999999", "0x80000999", "-70000", "0x80000400", "0x7fffffffffffffff", "0xffffffffffff0000",
        "EWHATEVER",
    ])
    func unknown(text: String) {
        let explanation = Explanation(of: text)
        #expect(Explanation.isCode(text))
        #expect(explanation.isUnknown && explanation.text.contains("unknown"))
    }

    @Test(arguments: ["", "-", "0x", "12a", "0xg", "99999999999999999999", "a b", "-0x"])
    func noCode(text: String) { #expect(!Explanation.isCode(text)) }

    @Test func aRangeIsAHint() {
        #expect(Explanation(of: "0x8000055b").text.contains("QuRT"))
    }

    /// The codes of the field have causes with remedies.
    @Test(arguments: [
        0x02, 0x06, 0x0c, 0x0d, 0x0e, 0x14, 0x16, 0x27, 0x2c, 0x2e, 0x38, 0x42, 0x43, 0x4e, 0x52, 0x68, 0x72,
        0x8a,
        0x14f, 0x194, 0x200,
    ])
    func commonCodesHaveRemedies(code: UInt32) throws {
        for explanation in ErrorCodes.explanations(of: Int64(code)) where explanation.family == .library {
            let causes = explanation.causes
            #expect(!causes.isEmpty && causes.contains { !$0.remedy.isEmpty }, "\(explanation.name)")
        }
        // The same from the DSP, but for those that have no offset there.
        guard code != 0x27, code != 0x2e else { return }
        let fromDSP = try #require(ErrorCodes.explanations(of: Int64(0x8000_0400 + code)).first)
        #expect(fromDSP.family == .dsp)
    }

    @Test func theFiveCausesOf72() throws {
        let code = try #require(ErrorCodes.explanations(of: 0x72).first)
        #expect(code.causes.count == 5)
        #expect(Set(code.causes.map(\.remedy)).count == 5)
    }

    /// What errors say is the table's, and nothing of it is left to fill in.
    @Test func errorsTakeTheirAdviceFromTheTable() {
        let shell = ErrorCodes.advice(0x8000_054f, in: .createProcess, paths: ["shell": "/x/shell"])
        #expect(shell.contains("/x/shell and the DSP's firmware"))
        #expect(ErrorCodes.advice(errno: EACCES, in: .openNode, paths: ["node": "/dev/n"]).contains("/dev/n"))
        #expect(!ErrorCodes.advice(errno: EACCES, in: .openNode).contains("{"))
        // Of many causes an error names all, in one line.
        let connection = ErrorCodes.advice(0x72, in: .library)
        #expect(connection.contains("fastrpc-probe tells which") && connection.contains("in use"))
        #expect(ErrorCodes.advice(0x99) == "")
        // A cause without a remedy for the situation does not hide the general one.
        for code: UInt32 in [39, 46, 104, 0x8000_040d] {
            #expect(ErrorCodes.advice(code, in: .call).contains("open it again"))
        }
        #expect(ErrorCodes.advice(0x8000_0402, in: .map).contains("address space"))
    }

    @Test func everyExplanationIsWhole() {
        for number in Int64(0)...0x300 {
            for base: Int64 in [0, 0x8000_0400] {
                for code in ErrorCodes.explanations(of: base + number) {
                    #expect(!code.meaning.isEmpty && !code.name.isEmpty)
                    for cause in code.causes {
                        #expect(!cause.reason.isEmpty)
                        #expect(!ErrorCodes.readable(cause.remedy).contains("{s"))
                        #expect(!cause.remedy.contains("\n"))
                    }
                }
            }
        }
    }
}
