import FastRPCLibrary
import Testing

@Suite struct FastRPCLibraryErrorTests {
    @Test func theListsOfFunctionsAreThoseTheTypesName() {
        let required = FastRPCLibrary.requiredSymbols
        #expect(
            Set(required) == [
                "remote_handle64_open", "remote_handle64_invoke", "remote_handle64_close",
                "remote_handle64_control", "remote_session_control", "rpcmem_alloc", "rpcmem_free",
                "rpcmem_to_fd", "fastrpc_mmap", "fastrpc_munmap",
            ])
        #expect(Set(required).isDisjoint(with: FastRPCLibrary.optionalSymbols))
        #expect(FastRPCLibrary.optionalSymbols.contains("dspqueue_create"))
    }

    @Test func everyErrorIsOneLineWithTheFileAndTheWayOut() {
        let errors: [(FastRPCLibraryError, [String])] = [
            (
                .cannotLoad([.init(name: "libcdsprpc.so.1", reason: "no such file")]),
                ["libcdsprpc.so.1: no such file", "HEXAGONRPC_LIBRARY"]
            ),
            (.missingSymbols(["one", "two"], file: "/lib/x.so"), ["one, two", "/lib/x.so"]),
            (.missingOptionalSymbol("three", file: "/lib/x.so"), ["three", "/lib/x.so", "newer"]),
            (.otherLibraryInUse("/a.so", requested: "/b.so"), ["/a.so", "/b.so", "one of them"]),
        ]
        for (error, words) in errors {
            #expect(!error.description.contains("\n"))
            for word in words { #expect(error.description.contains(word)) }
        }
    }

    /// In a process of its own registry, a file that is not there is named with the loader's reason.
    @Test func anAbsentFileIsNamed() {
        let error = #expect(throws: FastRPCLibraryError.self) {
            try FastRPCLibrary(path: "/nonexistent/libcdsprpc.so", registry: LibraryRegistry())
        }
        #expect(error?.description.contains("/nonexistent/libcdsprpc.so: ") == true)
    }
}
