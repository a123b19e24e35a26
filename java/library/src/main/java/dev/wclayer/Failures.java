package dev.wclayer;

/** Errors that Java finds itself, before or between native calls. */
final class Failures {
    private Failures() {}

    static InvalidLayerArgumentException argument(String operation, String message) {
        return new InvalidLayerArgumentException(0, 0, operation, "", "", message);
    }

    static OperationCancelledException cancelled(String operation, String layer) {
        String why = Thread.currentThread().isInterrupted() ? "the thread was interrupted" : "cancelled by the caller";
        return new OperationCancelledException(0, 0, operation, layer, "", why);
    }
}
