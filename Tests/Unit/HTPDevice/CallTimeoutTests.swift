import HTPDevice
import Testing

/// How long a DSP may take before its session is given up.
@Suite struct CallTimeoutTests {
    @Test func aTimeThatIsGivenIsForAllCalls() {
        #expect(CallTimeout.none.forBatch(tokens: 1, longest: nil) == nil)
        #expect(CallTimeout.none.forCalls == nil)
        for longest in [nil, Duration.seconds(100)] {
            #expect(CallTimeout.seconds(1.5).forBatch(tokens: 512, longest: longest) == .seconds(1.5))
        }
        #expect(CallTimeout.seconds(1.5).forCalls == .seconds(1.5))
    }

    @Test func aMeasuredTimeIsGenerous() {
        #expect(CallTimeout.measured.forCalls == .seconds(30))
        #expect(CallTimeout.measured.forBatch(tokens: 1, longest: nil) == .seconds(32))
        #expect(CallTimeout.measured.forBatch(tokens: 512, longest: nil) == .seconds(1054))
        #expect(CallTimeout.measured.forBatch(tokens: 1, longest: .milliseconds(40)) == .seconds(10))
        #expect(CallTimeout.measured.forBatch(tokens: 512, longest: .seconds(20)) == .seconds(200))
    }
}
