package dev.wclayer.cli;

import com.google.gson.JsonArray;
import dev.wclayer.EntryInfo;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
        name = "ls",
        description = {
            "List the entries of a layer's own, without mounting it.",
            "A line has kind, attributes, bytes, write time, path. Kinds: f file, d folder, l symbolic link, j junction, r other reparse point, h hard link, w whiteout."
        })
final class LsCommand extends LayerCommand {
    @Parameters(index = "0", paramLabel = "ID", description = "The layer.")
    private String id;

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "PATH",
            description = "Only this entry and what is below it, as Files/Windows.")
    private String path = "";

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        List<EntryInfo> entries = new ArrayList<>();
        driver.entries(id, path, entries::add);
        if (output.wantsJson()) {
            JsonArray array = Json.array(entries, Json::entry);
            output.json(array);
            return CommandLines.OK;
        }
        for (EntryInfo entry : entries) {
            String target = entry.target().isEmpty() ? "" : " -> " + entry.target();
            output.line(String.format(
                            "%c %08x %12d %-28s ",
                            entry.kind().letter(), entry.attributes(), entry.sizeBytes(), entry.writeTime())
                    + entry.path()
                    + target);
        }
        return CommandLines.OK;
    }
}
