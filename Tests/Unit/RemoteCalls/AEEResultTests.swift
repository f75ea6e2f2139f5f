import RemoteCalls
import Testing

@Suite("Status codes")
struct AEEResultTests {
    // Codes seen in the field, from bug reports and from the public header.
    @Test(
        "Codes from either side have their C name",
        arguments: [
            (0 as UInt32, "AEE_SUCCESS (0x00)"), (0x0e, "AEE_EBADPARM (0x0e)"),
            (0x8000_040e, "AEE_EBADPARM (0x8000040e, from the DSP)"),
            (0x8000_0406, "AEE_EUNABLETOLOAD (0x80000406, from the DSP)"),
            (0x8000_0414, "AEE_EUNSUPPORTED (0x80000414, from the DSP)"),
            (0x8000_0416, "AEE_ERESOURCENOTFOUND (0x80000416, from the DSP)"),
            (0x8000_0442, "AEE_ENOSUCHSYMBOL (0x80000442, from the DSP)"),
            (0x8000_0481, "AEE_EUNSIGNEDMOD (0x80000481, from the DSP)"),
            (0x8000_054f, "AEE_EQURTBADASID (0x8000054f, from the DSP)"),
            (0x8000_0600, "AEE_ERPC (0x80000600, from the DSP)"), (0x72, "AEE_ECONNREFUSED (0x72)"),
            (39, "AEE_ENOSUCH (0x27)"), (46, "AEE_EINTERRUPTED (0x2e)"), (104, "AEE_ECONNRESET (0x68)"),
            (516, "AEE_EWOULDBLOCK (0x204)"), (0x194, "AEE_ESTUBSKELVERMISMATCH (0x194)"),
            (0xffff_ffff, "unknown status (0xffffffff)"), (0x8000_0400, "unknown status (0x80000400)"),
        ])
    func names(code: UInt32, text: String) {
        #expect(AEEResult(rawValue: code).description == text)
    }

    @Test("The DSP's offset comes off and goes on")
    func offset() {
        let code = AEEResult(rawValue: 0x8000_040e)
        #expect(
            code.isFromDSP && code.withoutOffset == .badParameter && AEEResult.badParameter.fromDSP == code)
        #expect(code.status == -2_147_482_610)
        #expect(AEEResult.success.fromDSP == .success && !AEEResult.failed.isFromDSP)
    }

    @Test("An error is one line")
    func error() {
        let error = RemoteCallError(
            .connectionRefused, operation: "open file:///libx.so", advice: "check the node")
        #expect(
            error.description
                == "open file:///libx.so: AEE_ECONNREFUSED (0x72), the session could not be made; check the node"
        )
    }
}
