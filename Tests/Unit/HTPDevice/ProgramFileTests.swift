import HTPDevice
import Testing

@Suite("Files of the DSP program") struct ProgramFileTests {
    @Test func anOlderFileServesANewerDSP() {
        #expect(
            ProgramFile.candidates(for: 0x73) == [
                "libhtp-v73.so", "libhtp-v69.so", "libhtp-v68.so", "libhtp-v66.so", "libhtp_skel.so",
            ])
        #expect(ProgramFile.candidates(for: 0x75).first == "libhtp-v75.so")
        #expect(ProgramFile.candidates(for: 0x93).first == "libhtp-v81.so")
        #expect(ProgramFile.candidates(for: 0x93).count == ProgramFile.architectures.count + 1)
        #expect(ProgramFile.candidates(for: 0x67) == ["libhtp-v66.so", "libhtp_skel.so"])
    }

    @Test func aNewerFileServesNoOlderDSP() {
        for architecture in ProgramFile.architectures {
            let names = ProgramFile.candidates(for: architecture).compactMap { name in
                name.firstMatch(of: /-v([0-9]+)/).flatMap { Int($0.1, radix: 16) }
            }
            #expect(names.allSatisfy { $0 <= architecture } && names == names.sorted(by: >))
        }
        #expect(ProgramFile.candidates(for: 0x60) == ["libhtp_skel.so"])
    }

    @Test func whereTheDSPDoesNotSayTheOldestMustDo() {
        #expect(ProgramFile.candidates(for: nil) == ["libhtp_skel.so", "libhtp-v66.so"])
    }
}
