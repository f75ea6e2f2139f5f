#if canImport(TestSupport)
    import TestSupport
#endif

/// A random IDL file that is meant to be valid, with a file that it includes. The same seed gives the same text.
struct RandomIDL {
    /// `base.idl`: types and perhaps the interface that the other one derives from.
    private(set) var base = ""
    /// `t.idl`: the file to compile.
    private(set) var main = ""

    /// A type that later declarations can name.
    private struct Known {
        var name: String
        /// Whether it holds sequences, strings or handles.
        var isComplex = false
        var hasHandle = false
        var isArray = false
        var isSequence = false
    }

    /// A type as it is written.
    private struct Written {
        var text: String
        var isComplex = false
        var hasHandle = false
        var isArray = false
        /// A sequence that is written out, which nothing but a typedef, a member or a parameter may hold.
        var isDirectSequence = false
        /// Whether `inrout` may carry it.
        var isExchangeable = true
        /// Whether an async method may return it.
        var isFlatSequence = false
    }

    private var random: SeededGenerator
    private var known: [Known] = []
    private var constants: [String] = []
    private var counter = 0
    private var hasConstants = true

    /// Whether handles may be anywhere. The reference compiler's stubs misplace them in the argument list
    /// where a method also has nested sequences or results; without this, handles stay clear of those.
    private let nestsHandles: Bool

    init(seed: UInt64, nestsHandles: Bool = false) {
        random = SeededGenerator(seed)
        self.nestsHandles = nestsHandles
        let style = Int.random(in: 0..<4, using: &random)
        base = "#include \"remote.idl\"\n#include \"AEEStdDef.idl\"\n"
        base += declarations(Int.random(in: 0..<5, using: &random), indent: "")
        let derives = chance(30)
        if derives {
            base += "interface base\(style == 0 ? "" : " : remote_handle64") {\n"
            // The reference compiler's C does not compile where inherited types are named.
            for _ in 0..<number(4) { base += "  " + member() + "\n" }
            base += "};\n"
        }
        main = "#include \"remote.idl\"\n#include \"AEEStdDef.idl\"\n#include \"base.idl\"\n"
        if chance(20) {
            main += "const string IDL_VERSION = \"\(number(20)).\(number(1000)).\(number(5))\";\n"
        }
        main += declarations(Int.random(in: 0..<5, using: &random), indent: "")
        let isInModule = chance(25)
        if isInModule {
            main += "module M {\n"
            let outside = (known, constants)
            main += declarations(Int.random(in: 0..<3, using: &random), indent: "  ")
            // The same holds for a module's types in its interface.
            (known, constants) = outside
        }
        let parent = derives ? " : base" : style == 0 ? "" : " : remote_handle64"
        let methods =
            chance(10) ? Int.random(in: 28..<40, using: &random) : Int.random(in: 1..<7, using: &random)
        // In a module or with a base, an interface's constants are out of the reference compiler's sight.
        hasConstants = !isInModule && !derives
        main += "/** The interface. */\ninterface t\(parent) {\n"
        main += body(methods) + "};\n"
        if isInModule { main += "};\n" }
    }

    // MARK: Choices

    private mutating func number(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }
    private mutating func chance(_ percent: Int) -> Bool { number(100) < percent }
    private mutating func pick<T>(_ items: [T]) -> T { items[number(items.count)] }

    private mutating func fresh(_ prefix: String) -> String {
        counter += 1
        return "\(prefix)\(counter)"
    }

    /// The name of a member or parameter.
    private mutating func fieldName() -> String { fresh("f") }

    /// A name as a file may say it in any scope after its declaration.
    private func reference(_ known: Known) -> String {
        // The reference compiler understands neither `::A` nor `A::B`.
        known.name
    }

    // MARK: Types

    private static let scalars = [
        "octet", "boolean", "char", "wchar", "short", "unsigned short", "long", "unsigned long", "long long",
        "unsigned long long", "float", "double", "int8", "uint8", "int16", "uint16", "int32", "uint32",
        "int64", "uint64", "int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "uint32_t", "int64_t",
        "uint64_t",
    ]

    private mutating func simple() -> Written {
        let choices = known.filter { !$0.isComplex }
        if !choices.isEmpty, chance(40) {
            let type = pick(choices)
            return Written(text: reference(type), isArray: type.isArray)
        }
        return Written(text: pick(Self.scalars))
    }

    private mutating func bound() -> String {
        guard chance(10) else { return "" }
        return ", " + (constants.isEmpty || chance(50) ? "\(number(100) + 1)" : pick(constants))
    }

    private mutating func type(handles: Bool) -> Written {
        switch number(100) {
        case 0..<35: return simple()
        case 35..<45: return Written(text: "string", isComplex: true)
        case 45..<50: return Written(text: "wstring", isComplex: true)
        case 50..<54 where handles:
            return Written(text: "dmahandle", isComplex: true, hasHandle: true, isExchangeable: false)
        case 54..<70:
            let element = simple()
            return Written(
                text: "sequence<\(element.text)\(bound())>", isComplex: true, isDirectSequence: true,
                isFlatSequence: true)
        case 70..<85:
            var element = type(handles: handles)
            while element.isDirectSequence { element = type(handles: handles) }
            return Written(
                text: "sequence<\(element.text)\(bound())>", isComplex: true, hasHandle: element.hasHandle,
                isDirectSequence: true, isExchangeable: !element.isComplex, isFlatSequence: !element.isComplex
            )
        default:
            let choices = known.filter { handles || !$0.hasHandle }
            guard !choices.isEmpty else { return simple() }
            let type = pick(choices)
            return Written(
                text: reference(type), isComplex: type.isComplex, hasHandle: type.hasHandle,
                isArray: type.isArray,
                isExchangeable: !type.isComplex)
        }
    }

    // MARK: Declarations

    private mutating func declarations(_ count: Int, indent: String) -> String {
        var text = ""
        for _ in 0..<count {
            if chance(20) { text += "\(indent)/// About \(number(10)).\n" }
            text += indent + declaration() + "\n"
        }
        return text
    }

    private mutating func declaration() -> String {
        switch number(hasConstants ? 100 : 80) {
        case 0..<45:
            let name = fresh("S")
            var members = ""
            var isComplex = false
            var hasHandle = false
            for index in 0...number(5) {
                // A struct of nothing but handles is too much for the reference compiler.
                let type = index == 0 || chance(50) ? simple() : self.type(handles: nestsHandles)
                isComplex = isComplex || type.isComplex
                hasHandle = hasHandle || type.hasHandle
                var member = fieldName()
                while members.contains(" \(member);") || members.contains(" \(member)[") {
                    member = fieldName()
                }
                let length = !type.isComplex && !type.isArray && chance(15) ? "[\(arrayLength())]" : ""
                members += "\(type.text) \(member)\(length); "
            }
            known.append(Known(name: name, isComplex: isComplex, hasHandle: hasHandle))
            return "struct \(name) { \(members)};"
        case 45..<60:
            let name = fresh("E")
            let cases = (0...number(5)).map { _ in fresh("c") }
            known.append(Known(name: name))
            return "enum \(name) { \(cases.joined(separator: ", ")) };"
        case 60..<80:
            let type = type(handles: nestsHandles)
            let name = fresh("A")
            let isArray = !type.isComplex && chance(40)
            known.append(
                Known(
                    name: name, isComplex: type.isComplex, hasHandle: type.hasHandle,
                    isArray: isArray || type.isArray,
                    isSequence: type.isDirectSequence))
            return "typedef \(type.text) \(name)\(isArray ? "[\(arrayLength())]" : "");"
        default:
            let name = fresh("C")
            defer { constants.append(name) }
            return
                "const \(pick(["long", "long long", "short", "int64", "int32_t"])) \(name) = ((\(expression(2))) & 63) + 1;"
        }
    }

    private mutating func arrayLength() -> String {
        chance(80) ? "\(number(6) + 1)" : "\(number(3) + 1) + \(number(3)) * 2"
    }

    /// An expression with every operator in it. Its parts are not bracketed, so that precedence counts.
    private mutating func expression(_ depth: Int) -> String {
        guard depth > 0 else {
            if !constants.isEmpty, chance(30) { return pick(constants) }
            return pick(["\(number(9) + 1)", "0x\(number(9) + 1)", "01", "(3)"])
        }
        let left = expression(depth - 1)
        let right = expression(depth - 1)
        switch number(9) {
        case 0: return "(\(left) + \(right)) % 50 + 1"
        case 1: return "\(left) * \(right) % 60 + 1"
        case 2: return "(\(left) | \(right)) & 63 | 1"
        case 3: return "((\(left) ^ \(right)) & 31) + 1"
        case 4: return "(1 << (\(left) & 3)) + (64 >> (\(right) & 3))"
        case 5: return "100 / (\(left) % 7 + 1)"
        case 6: return "0 - (0 - \(left))"
        case 7: return "(~\(left) & 7) + 1"
        default: return left
        }
    }

    // MARK: Methods

    private mutating func body(_ methods: Int) -> String {
        var text = declarations(number(3), indent: "  ")
        // Names from here on are the interface's.
        for _ in 0..<methods { text += "  " + member() + "\n" }
        return text
    }

    private mutating func member() -> String {
        if chance(7) {
            return "\(chance(50) ? "readonly " : "")attribute \(attributeType()) \(fresh("a"));"
        }
        let isAsync = chance(8)
        let hasHandles = chance(15)
        var parameters: [String] = []
        var names: Set<String> = []
        for _ in 0..<number(7) {
            var type = type(handles: nestsHandles)
            if hasHandles, !nestsHandles {
                // Beside handles nothing but scalars and flat sequences.
                if chance(50) {
                    type = Written(text: "dmahandle", isComplex: true, hasHandle: true, isExchangeable: false)
                } else {
                    while type.isComplex && !type.isFlatSequence { type = self.type(handles: false) }
                }
            }
            var direction = pick(["in", "in", "rout", "rout", "inrout"])
            if direction == "inrout", !type.isExchangeable { direction = "rout" }
            if isAsync, direction != "in" { direction = type.isFlatSequence ? "rout" : "in" }
            var name = fieldName()
            while !names.insert(name).inserted { name = fieldName() }
            parameters.append("\(direction) \(type.text) \(name)")
        }
        let attribute = chance(4) && !parameters.contains(where: { !$0.hasPrefix("in ") }) ? "[oneway] " : ""
        let result = pick(["long", "AEEResult", "void", "int32"])
        return
            "\(isAsync ? "async " : "")\(attribute)\(result) \(fresh("m"))(\(parameters.joined(separator: ", ")));"
    }

    private mutating func attributeType() -> String {
        simple().text
    }
}
