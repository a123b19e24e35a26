package dev.wclayer.cli;

import com.google.gson.JsonObject;
import dev.wclayer.ArchiveFormat;
import dev.wclayer.Compression;
import dev.wclayer.DiffOptions;
import dev.wclayer.LayerDiff;
import dev.wclayer.WindowsDriver;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "diff", description = "Write the tar of what a layer adds, changes and deletes.")
final class DiffCommand extends LayerCommand {
    @Parameters(paramLabel = "ID", description = "The layer.")
    private String id;

    @Option(
            names = "--parent",
            paramLabel = "P",
            description = "What to compare with. Default: the direct parent. '': nothing, the whole chain squashed.")
    private @Nullable String parent;

    @Option(names = "--format", paramLabel = "oci|transport", description = "The kind of tar. Default: oci.")
    private ArchiveFormat format = ArchiveFormat.OCI;

    @Option(
            names = "--compress",
            paramLabel = "none|gzip|zstd[:LEVEL]",
            description = "How to compress it. Default: none.")
    private String compress = "none";

    @Option(
            names = "--rebuild",
            description = "Write it from the stored metadata although the applied tar's bytes are kept.")
    private boolean rebuild;

    @Option(names = "-o", paramLabel = "FILE", description = "Where to. Default: stdout.")
    private @Nullable Path file;

    @Override
    void check(Output output) {
        options();
        if (file == null && output.wantsJson()) {
            throw wrongUsage("diff --json needs -o FILE: stdout cannot take the tar and the JSON");
        }
        if (file == null && streams().out().getClass() == FileOutputStream.class && Terminal.is(Terminal.STDOUT)) {
            throw wrongUsage("a tar does not belong on a terminal; use -o FILE or a pipe");
        }
    }

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        try (Progress progress = Progress.of("diff " + id);
                LayerDiff diff = driver.diff(id, parent, options().withProgress(progress))) {
            if (file == null) {
                diff.transferTo(output.stream());
                return CommandLines.OK;
            }
            diff.transferTo(file);
            if (output.wantsJson()) {
                JsonObject object = Json.object("diffId", diff.diffId());
                object.addProperty("blobDigest", diff.blobDigest());
                object.addProperty("tarBytes", diff.tarBytes());
                object.addProperty("blobBytes", diff.blobBytes());
                output.json(object);
            } else {
                output.line("diffId     " + diff.diffId());
                output.line("blobDigest " + diff.blobDigest());
                output.line("tarBytes   " + diff.tarBytes());
                output.line("blobBytes  " + diff.blobBytes());
            }
            return CommandLines.OK;
        }
    }

    private DiffOptions options() {
        int colon = compress.indexOf(':');
        String name = colon < 0 ? compress : compress.substring(0, colon);
        try {
            Compression compression = Compression.valueOf(name.toUpperCase(Locale.ROOT));
            int level = colon < 0 ? 0 : Integer.parseInt(compress.substring(colon + 1));
            if (level < 0 || (colon >= 0 && (level == 0 || compression == Compression.NONE))) {
                throw new IllegalArgumentException(compress);
            }
            return DiffOptions.DEFAULT.withFormat(format).withRebuild(rebuild).withCompression(compression, level);
        } catch (IllegalArgumentException unknown) {
            throw wrongUsage("--compress takes none, gzip, zstd, gzip:LEVEL or zstd:LEVEL, not '" + compress + "'");
        }
    }
}
