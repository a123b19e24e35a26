package dev.wclayer.cli;

import dev.wclayer.EntryDetails;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.util.HexFormat;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(name = "stat", description = "Show everything that is kept of one entry.")
final class StatCommand extends LayerCommand {
    private static final String[] ATTRIBUTES = {
        "READONLY",
        "HIDDEN",
        "SYSTEM",
        "",
        "DIRECTORY",
        "ARCHIVE",
        "DEVICE",
        "NORMAL",
        "TEMPORARY",
        "SPARSE",
        "REPARSE_POINT",
        "COMPRESSED",
        "OFFLINE",
        "NOT_CONTENT_INDEXED",
        "ENCRYPTED",
        "INTEGRITY_STREAM"
    };

    @Parameters(index = "0", paramLabel = "ID", description = "The layer.")
    private String id;

    @Parameters(index = "1", paramLabel = "PATH", description = "The entry, as Files/Windows/a.dll.")
    private String path;

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        EntryDetails details = driver.stat(id, path);
        if (output.wantsJson()) {
            output.json(Json.details(details));
            return CommandLines.OK;
        }
        output.line("path       " + details.info().path());
        output.line("kind       " + details.info().kind().letter());
        output.line("size       " + details.info().sizeBytes() + (details.sparse() ? " (sparse)" : ""));
        output.line("attributes " + attributes(details.info().attributes()));
        output.line("created    " + time(details.creation()));
        output.line("accessed   " + time(details.access()));
        output.line("written    " + time(details.write()));
        output.line("changed    " + time(details.change()));
        output.line("sddl       " + (details.sddl().isEmpty() ? "(none)" : details.sddl()));
        if (!details.info().target().isEmpty()) {
            output.line("target     " + details.info().target());
        }
        if (details.reparseTag() != 0) {
            output.line(
                    String.format("reparse    0x%08x, %d bytes", details.reparseTag(), details.reparseData().length));
        }
        for (Map.Entry<String, byte[]> ea : details.extendedAttributes().entrySet()) {
            output.line("ea         " + ea.getKey() + " = " + HexFormat.of().formatHex(ea.getValue()));
        }
        for (Map.Entry<String, Long> stream : details.streams().entrySet()) {
            output.line("stream     " + stream.getKey() + ", " + stream.getValue() + " bytes");
        }
        if (!details.shortName().isEmpty()) {
            output.line("short name " + details.shortName());
        }
        if (details.objectId().length != 0) {
            output.line("object id  " + HexFormat.of().formatHex(details.objectId()));
        }
        return CommandLines.OK;
    }

    private static String time(EntryDetails.Time time) {
        return time.instant() + (time.recorded() ? "" : " (not recorded; the write time)");
    }

    private static String attributes(int attributes) {
        StringBuilder names = new StringBuilder(String.format("0x%08x", attributes));
        for (int bit = 0; bit < ATTRIBUTES.length; bit++) {
            if ((attributes & 1 << bit) != 0 && !ATTRIBUTES[bit].isEmpty()) {
                names.append(' ').append(ATTRIBUTES[bit]);
            }
        }
        return names.toString();
    }
}
