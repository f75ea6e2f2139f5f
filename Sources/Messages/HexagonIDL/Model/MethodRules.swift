/// The rules of the language that concern a method's parameters.
enum MethodRules {
    /// Throws where the method cannot be compiled.
    static func check(_ method: Method) throws(IDLError) {
        // Names that the generated C uses itself.
        var names: Set<String> = ["_h"]
        if method.isAsync { names.insert("asyncDesc") }
        for parameter in method.parameters {
            guard !parameter.name.hasPrefix("_") else {
                throw IDLError(
                    at: parameter.location, "the parameter '\(parameter.name)' begins with an underscore",
                    hint: "such names belong to the generated code")
            }
            // In C the parameter would hide its type.
            guard !parameter.type.typeNames.contains(parameter.name) else {
                throw IDLError(
                    at: parameter.location, "the parameter '\(parameter.name)' is named like its type",
                    hint: "give it another name")
            }
            for name in cNames(parameter) where !names.insert(name).inserted {
                throw IDLError(
                    at: parameter.location,
                    "the method '\(method.name)' has two parameters that C would call '\(name)'",
                    hint: "give one of them another name")
            }
            try check(parameter, of: method)
        }
        _ = try MethodWire(method)
    }

    private static func cNames(_ parameter: Parameter) -> [String] {
        switch parameter.type.resolved {
        case .sequence, .string, .wideString: [parameter.name, parameter.name + "Len"]
        case .dmaHandle: [parameter.name, parameter.name + "Offset", parameter.name + "Len"]
        default: [parameter.name]
        }
    }

    private static func check(_ parameter: Parameter, of method: Method) throws(IDLError) {
        let type = parameter.type.resolved
        var isFlatSequence = false
        if case .sequence(let element) = type { isFlatSequence = !element.isComplex }
        if parameter.direction == .inrout, type.isComplex {
            switch type {
            case .string, .wideString: break
            default:
                guard isFlatSequence else {
                    throw IDLError(
                        at: parameter.location,
                        "'\(parameter.name)' is inrout and holds sequences, strings or handles",
                        hint: "use one parameter in and one rout")
                }
            }
        }
        if method.isAsync, parameter.direction != .in, !isFlatSequence {
            throw IDLError(
                at: parameter.location,
                "'\(parameter.name)' of the async method '\(method.name)' returns something else than a sequence",
                hint: "an async method returns before its results exist; use rout sequence")
        }
    }
}

extension IDLType {
    /// The names by which C says the type and its elements.
    fileprivate var typeNames: [String] {
        switch self {
        case .enumeration(let type): [type.name]
        case .structure(let type): [type.name]
        case .alias(let alias): [alias.name] + alias.written.typeNames
        case .array(let element, _), .sequence(let element): element.typeNames
        default: []
        }
    }
}
