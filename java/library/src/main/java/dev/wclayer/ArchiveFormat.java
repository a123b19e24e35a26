package dev.wclayer;

/** How a layer is written as a tar. */
public enum ArchiveFormat {
    /** Real files with PAX records, as Docker from 1.11 on and OCI registries carry them. */
    OCI(0),
    /** The transport folder of backup streams as a plain tar, as Docker 1.10 carried it. */
    TRANSPORT(1);

    final int number;

    ArchiveFormat(int number) {
        this.number = number;
    }
}
