package dev.wclayer;

/** Several of the layers to squash carry registry deltas, which only Windows can merge. */
public final class HivesNotMergeableException extends LayerException {
    private static final long serialVersionUID = 1L;

    HivesNotMergeableException(int hresult, int errno, String operation, String layer, String path, String message) {
        super(ErrorCode.HIVES_NOT_MERGEABLE, hresult, errno, operation, layer, path, message);
    }
}
