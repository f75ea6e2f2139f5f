import Foundation
import HexagonRPC
import TestSupport
import Testing

@Suite("ShellSearch")
struct ShellSearchTests {
    private let folder: TemporaryFolder
    init() throws { folder = try TemporaryFolder() }

    private func write(_ text: String, _ path: String) throws {
        let file = URL(fileURLWithPath: folder.path + path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    private func search(_ environment: [String: String] = [:], unsigned: Bool = true) -> ShellSearch {
        ShellSearch(
            domain: "cdsp", number: 3, unsignedModules: unsigned, files: HostFiles(root: folder.path),
            environment: environment)
    }

    @Test("The board's folder comes before the defaults, the domain's folder first, and no variable counts")
    func order() throws {
        try write("", "/vendor/dsp/fastrpc_shell_unsigned_3")
        #expect(search().find() == "/vendor/dsp/fastrpc_shell_unsigned_3")
        try write("", "/usr/lib/dsp/fastrpc_shell_unsigned_3")
        #expect(search().find() == "/usr/lib/dsp/fastrpc_shell_unsigned_3")
        try write("", "/usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3")
        #expect(search().find() == "/usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3")
        try write("", "/elsewhere/fastrpc_shell_unsigned_3")
        let variables = ["DSP_LIBRARY_PATH": "/elsewhere", "ADSP_LIBRARY_PATH": "/elsewhere"]
        #expect(search(variables).find() == "/usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3")

        try write(
            "machines:\n  Made Up Board:\n    DSP_LIBRARY_PATH: made/up\n",
            "/usr/share/qcom/conf.d/10-board.yaml")
        try write("", "/usr/share/qcom/made/up/cdsp/fastrpc_shell_unsigned_3")
        #expect(search().find() == "/usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3")
        let named = ["MACHINE_NAME": "Made Up Board"]
        #expect(search(named).find() == "/usr/share/qcom/made/up/cdsp/fastrpc_shell_unsigned_3")
        // A device tree wins over the variable.
        try write("Another Board\0", "/sys/firmware/devicetree/base/model")
        #expect(search(named).find() == "/usr/lib/dsp/cdsp/fastrpc_shell_unsigned_3")
    }

    @Test("Signed and unsigned processes have shells of their own; a name without number comes last")
    func names() throws {
        try write("", "/usr/lib/dsp/cdsp/fastrpc_shell_unsigned")
        try write("", "/usr/lib/dsp/fastrpc_shell_3")
        #expect(search().find() == "/usr/lib/dsp/cdsp/fastrpc_shell_unsigned")
        #expect(search(unsigned: false).find() == "/usr/lib/dsp/fastrpc_shell_3")
        #expect(search().candidates.last == "/vendor/dsp/cdsp/fastrpc_shell_unsigned")
    }

    @Test("The last board file that knows the model wins; quotes, comments and other models do not matter")
    func boards() throws {
        let model = ["MACHINE_NAME": "Board X: 1"]
        try write(
            "# boards\nmachines:\n  \"Board X: 1\":\n    DSP_LIBRARY_PATH: old\n  Other:\n"
                + "    DSP_LIBRARY_PATH: wrong\n", "/usr/share/hexagon-dsp/conf.d/a.yaml")
        try write(
            "machines:\n  'Board X: 1':\n    CDSP_ARCH: v73\n    DSP_LIBRARY_PATH: \"new;second\" # two\n",
            "/usr/share/hexagon-dsp/conf.d/b.yml")
        try write("machines:\n  Other:\n    DSP_LIBRARY_PATH: no\n", "/usr/share/hexagon-dsp/conf.d/c.yaml")
        let boards = BoardFolders(files: HostFiles(root: folder.path), environment: model)
        #expect(boards.folders == ["/usr/share/hexagon-dsp/new", "/usr/share/hexagon-dsp/second"])
    }
}
