package dev.wclayer;

import java.util.Locale;

/**
 * One line of {@link WindowsDriver#list()}.
 *
 * @param id layer id
 * @param parent id of the direct parent; empty if there is none
 * @param kind what the layer is
 * @param state how far it is
 * @param diffId digest of the tar it was made of; empty if unknown
 * @param sizeBytes size of its own files, as ApplyDiff returned it; 0 if unknown
 */
public record LayerSummary(String id, String parent, Kind kind, State state, String diffId, long sizeBytes) {
    /** What a layer is. */
    public enum Kind {
        /** A read-only layer without a parent. */
        BASE,
        /** A read-only layer on a parent. */
        LAYER,
        /** A layer that containers write to. */
        WRITABLE;

        /**
         * The name as JSON has it.
         *
         * @return the name in lower case
         */
        public String text() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** How far a layer is. */
    public enum State {
        /** Made by Create and not filled. */
        CREATED,
        /** Filled. */
        COMMITTED,
        /** In use by Get. */
        MOUNTED,
        /** Not what it was; {@link WindowsDriver#verify} tells more. */
        DAMAGED;

        /**
         * The name as JSON has it.
         *
         * @return the name in lower case
         */
        public String text() {
            return name().toLowerCase(Locale.ROOT);
        }
    }
}
