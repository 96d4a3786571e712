/** Server reflection: clients such as `buf curl`, evans and grpcurl ask a server for its schema. */

import type { DescFile, DescService } from "@bufbuild/protobuf";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { ServerReflection, ServerReflectionAlpha } from "@tvix/protos/grpc";
import { DescriptorIndex } from "./descriptor-index.js";

/** What is asked and answered. The messages of both versions have this shape under different names. */
type Question =
  | { case: "fileByFilename" | "fileContainingSymbol"; value: string }
  | { case: "allExtensionNumbersOfType" | "listServices"; value: string }
  | {
      case: "fileContainingExtension";
      value: { containingType: string; extensionNumber: number };
    }
  | { case: undefined; value?: undefined };

type Answer =
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | {
      case: "allExtensionNumbersResponse";
      value: { baseTypeName: string; extensionNumber: number[] };
    }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

/**
 * Serves reflection v1 and v1alpha over the given services, or all services of the given files, and over
 * itself. What is asked for and not there is answered with an error in the stream, which stays open.
 */
export function registerReflection(
  router: ConnectRouter,
  served: readonly (DescService | DescFile)[],
): void {
  const services = [...served, ServerReflection, ServerReflectionAlpha].flatMap((one) =>
    one.kind === "file" ? one.services : [one],
  );
  const names = [...new Set(services.map((service) => service.typeName))].sort();
  const index = new DescriptorIndex(services.map((service) => service.file));
  router.service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        const messageResponse = answer(index, names, request.messageRequest);
        yield { validHost: request.host, originalRequest: request, messageResponse };
      }
    },
  });
  router.service(ServerReflectionAlpha, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        const messageResponse = answer(index, names, request.messageRequest);
        yield { validHost: request.host, originalRequest: request, messageResponse };
      }
    },
  });
}

function answer(index: DescriptorIndex, services: readonly string[], question: Question): Answer {
  switch (question.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: services.map((name) => ({ name })) },
      };
    case "fileByFilename":
      return files(index, index.fileByName(question.value), `file ${question.value}`);
    case "fileContainingSymbol": {
      const symbol = question.value.replace(/^\./, "");
      return files(index, index.fileBySymbol(symbol), `symbol ${symbol}`);
    }
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = question.value;
      const file = index.fileByExtension(containingType, extensionNumber);
      return files(index, file, `extension ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType": {
      const numbers = index.extensionNumbers(question.value);
      return numbers === undefined
        ? notFound(`message ${question.value}`)
        : {
            case: "allExtensionNumbersResponse",
            value: { baseTypeName: question.value, extensionNumber: [...numbers] },
          };
    }
    default:
      return error(Code.InvalidArgument, "the request does not say what is asked for");
  }
}

function files(index: DescriptorIndex, file: DescFile | undefined, what: string): Answer {
  return file === undefined
    ? notFound(what)
    : { case: "fileDescriptorResponse", value: { fileDescriptorProto: index.closure(file) } };
}

function notFound(what: string): Answer {
  return error(Code.NotFound, `there is no ${what}`);
}

function error(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
