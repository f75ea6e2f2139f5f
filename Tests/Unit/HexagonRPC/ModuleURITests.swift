import HexagonRPC
import Testing

@Suite struct ModuleURITests {
    @Test func generatedModulesHaveTheUsualName() {
        let uri = ModuleURI(interface: "calculator")
        #expect(
            uri.description == "file:///libcalculator_skel.so?calculator_skel_handle_invoke&_modver=1.0")
    }

    @Test func theSessionIsNamedAsTheLibraryWantsIt() {
        let uri = ModuleURI(interface: "htp", file: "libhtp-v68.so")
        #expect(
            uri.on(SessionConfiguration()).description
                == "file:///libhtp-v68.so?htp_skel_handle_invoke&_modver=1.0&_dom=cdsp")
        let second = SessionConfiguration(domain: .compute1, index: 2)
        #expect(uri.on(second).description.hasSuffix("&_modver=1.0&_dom=cdsp1&_session=2"))
        // Naming it twice replaces the names.
        #expect(uri.on(second).on(SessionConfiguration()) == uri.on(SessionConfiguration()))
    }

    @Test(arguments: [
        "file:///libx_skel.so?x_skel_handle_invoke&_modver=1.0&_dom=cdsp",
        "file:///a?b", "file:///a?b&_idlver=1.2.3&flag=",
    ])
    func takesApartAndPutsTogether(text: String) {
        #expect(ModuleURI(text)?.description == text)
    }

    @Test(arguments: [
        "", "libx.so", "http:///a?b", "file:///a", "file:///?b", "file:///a?", "file:///a?&x=1",
    ])
    func refusesWhatIsNoURI(text: String) {
        #expect(ModuleURI(text) == nil)
    }

    /// Numbers of `qualcomm/fastrpc`: session 1 of the compute DSP is domain 11.
    @Test func effectiveDomains() {
        #expect(SessionConfiguration().effectiveDomain == 3)
        #expect(SessionConfiguration(index: 1).effectiveDomain == 11)
        #expect(Domain(name: "adsp") == .audio)
        #expect(Domain(name: "cdsp1")?.rawValue == 4)
        #expect(Domain(name: "gpu") == nil)
        #expect(Domain(rawValue: 77).name == "domain77")
    }
}
