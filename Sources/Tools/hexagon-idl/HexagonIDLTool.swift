import ArgumentParser
import HexagonIDL

@main
struct HexagonIDLTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hexagon-idl",
        abstract: "Compiles Hexagon interface definitions (IDL).",
        subcommands: [Compile.self, Describe.self])
}

struct Input: ParsableArguments {
    @Argument(help: "The interface definition.")
    var file: String

    @Option(name: .customShort("I"), parsing: .singleValue, help: "A folder that #include searches.")
    var includePaths: [String] = []

    @Option(name: .customShort("D"), parsing: .singleValue, help: "A name that #ifdef finds defined.")
    var defines: [String] = []

    /// Prints diagnostics to stderr, `error` last.
    func unit() throws -> IDLUnit {
        do throws(IDLError) {
            let unit = try IDLCompiler(includePaths: includePaths, defines: defines, read: Files.read)
                .compile(file)
            for warning in unit.warnings { Files.printError(warning.description) }
            return unit
        } catch {
            Files.printError(error.description)
            throw ExitCode.failure
        }
    }
}

struct Compile: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks a file and generates the bindings that are asked for.",
        discussion:
            "Without an output only checks. '-' writes to stdout. Nothing is written if anything fails.")

    @OptionGroup var input: Input

    @Option(name: .customLong("swift"), help: "The Swift stub.")
    var swiftOutput: String?

    @Option(
        help:
            "The stub's type; by default the interface's name, spelled like the Swift file if that is the same word."
    )
    var swiftName: String?

    @Option(help: "What the Swift files import.")
    var swiftImport = "HexagonRPC"

    @Option(
        name: .customLong("swift-table"),
        help: "Swift: an enum of the methods with the shapes of their calls, called like the file.")
    var tableOutput: String?

    @Option(name: .customLong("c-header"), help: "The C header.")
    var headerOutput: String?

    @Option(name: .customLong("c-skel"), help: "The C skel, which unpacks calls on the DSP.")
    var skelOutput: String?

    @Option(name: .customLong("c-stub"), help: "The C stub, which packs calls on the host.")
    var stubOutput: String?

    func run() throws {
        let unit = try input.unit()
        var outputs: [(path: String, text: String)] = []
        do throws(IDLError) {
            if let swiftOutput {
                let name = swiftName ?? SwiftStub.name(for: unit, writtenTo: swiftOutput)
                outputs.append(
                    (swiftOutput, try SwiftStub.generate(unit, name: name, importing: swiftImport)))
            }
            if let tableOutput {
                outputs.append(
                    (
                        tableOutput,
                        try SwiftTable.generate(
                            unit, name: SwiftTable.name(writtenTo: tableOutput), importing: swiftImport)
                    ))
            }
            if let headerOutput { outputs.append((headerOutput, try CHeader.generate(unit))) }
            if let stubOutput { outputs.append((stubOutput, try CStub.generate(unit))) }
            if let skelOutput { outputs.append((skelOutput, try CSkel.generate(unit))) }
        } catch {
            Files.printError(error.description)
            throw ExitCode.failure
        }
        try Files.write(outputs)
    }
}

struct Describe: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Describes every method's call as JSON: index, scalars, buffers and fields.")

    @OptionGroup var input: Input

    func run() throws {
        let unit = try input.unit()
        do throws(IDLError) {
            print(try JSONDescription.generate(unit), terminator: "")
        } catch {
            Files.printError(error.description)
            throw ExitCode.failure
        }
    }
}
