/** The files of the project as they stand in the folder, without what is made or fetched. */
export const PROJECT = new URL("../../", import.meta.url);

const NOT_OURS = new Set([
  ...["node_modules", ".git", ".casparian", "__pycache__", "dist", "artefacts", ".venv"],
]);

export interface ProjectFile {
  /** Relative to the project. */
  path: string;
  text: string;
}

export function projectFiles(folder = ""): ProjectFile[] {
  return [...Deno.readDirSync(new URL(folder, PROJECT))].flatMap(
    ({ name, isDirectory, isFile }) => {
      if (NOT_OURS.has(name)) return [];
      if (isDirectory) return projectFiles(`${folder}${name}/`);
      if (!isFile) return [];
      const path = `${folder}${name}`;
      return [{ path, text: new TextDecoder().decode(Deno.readFileSync(new URL(path, PROJECT))) }];
    },
  );
}
